//! What goes into a sink, what comes out, and why not.

use crate::{Connection, Outgoing, Placed, Positions};

/// What a sink promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Records and positions of a step are seen together or not at all; an older sink of the same id is fenced.
    #[default]
    Transactional,
    /// For the embedded broker, which has no real transactions: records are acknowledged, then positions are committed.
    Plain,
}

/// How a sink writes.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// The brokers.
    pub connection: Connection,
    /// Fixed per domain, the same in every process: a new owner fences the old one by it.
    pub transactional_id: String,
    /// The group under which positions are committed. Nobody may join it.
    pub group: String,
    /// How long one step may take before it counts as indefinite, milliseconds.
    pub timeout_ms: u32,
    /// How long the broker keeps a transaction open for a sink that has gone silent, milliseconds.
    pub transaction_timeout_ms: u32,
    /// What is promised.
    pub delivery: Delivery,
}

impl Default for SinkConfig {
    fn default() -> Self {
        SinkConfig {
            connection: Connection::default(),
            transactional_id: "stopbank-default".to_owned(),
            group: "stopbank".to_owned(),
            timeout_ms: 10_000,
            transaction_timeout_ms: 15_000,
            delivery: Delivery::Transactional,
        }
    }
}

/// What one engine step writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Commands, audit, journal, findings, in order.
    pub records: Vec<Outgoing>,
    /// The positions in the telemetry after this step.
    pub positions: Positions,
}

/// A step that is in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Where each record of the step lies, in the step's order.
    pub placed: Vec<Placed>,
}

/// Why a step is not in the log, and what the caller may do.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The step is not in the log and the sink is usable: commit the same step again.
    #[error("the transaction was aborted and can be tried again: {reason}")]
    Retry {
        /// What the client or the broker said.
        reason: String,
    },
    /// The broker will never take this record (too large, its topic is missing): the step is not in the log; leave the
    /// record out or mend the cause.
    #[error("record {index} of the step, for topic `{topic}`, cannot be written: {reason}")]
    Refused {
        /// The record's place in the step.
        index: usize,
        /// Where it was to go.
        topic: String,
        /// What the client or the broker said.
        reason: String,
    },
    /// Another sink with the same id has taken over: stop acting, drop this sink.
    #[error("another owner has taken over the transactional id: {reason}")]
    Fenced {
        /// What the broker said.
        reason: String,
    },
    /// Nobody knows whether the step is in the log. This sink is dead; a new [`crate::Sink::connect`] settles the transaction
    /// (committed or aborted), then read the journal to see which.
    #[error("the outcome of the transaction is not known: {reason}; connect again and read the journal")]
    Indefinite {
        /// What the client said.
        reason: String,
    },
    /// Trying again will not help (rights, versions, a client error). This sink is dead.
    #[error("the sink failed for good: {reason}")]
    Fatal {
        /// What the client or the broker said.
        reason: String,
    },
}
