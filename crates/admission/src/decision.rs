//! A request, what it meets, and what becomes of it.

use model::{Criticality, NameId, Span};

/// What admission asks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// How bad it is to refuse it.
    pub criticality: Criticality,
    /// The user cohort, 0..128; [`Span::COHORT_UNKNOWN`] takes `spread` in its place.
    pub cohort: u8,
    /// The operation's id, or [`NameId::NONE`].
    pub operation: NameId,
    /// Any number that differs between requests (a hash of the trace id). It splits the one cohort that is partly
    /// admitted.
    pub spread: u64,
    /// When nobody waits for the answer any more, Unix milliseconds.
    pub deadline_ms: Option<u64>,
    /// What it costs, in ordinary requests.
    pub cost: u32,
    /// Did the owner say that its operation is never shed (a pattern, where [`crate::Table::never_shed`] holds ids)? It
    /// still meets the queue's bound.
    pub spared: bool,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            criticality: Criticality::default(),
            cohort: Span::COHORT_UNKNOWN,
            operation: NameId::NONE,
            spread: 0,
            deadline_ms: None,
            cost: 1,
            spared: false,
        }
    }
}

/// How busy the instance is right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The cost of the requests being worked on or waiting.
    pub in_flight: u32,
    /// The work that waits, as waiting time in milliseconds.
    pub queued_work_ms: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes in.
    Admit,
    /// It is answered at once.
    Refuse {
        /// Why.
        reason: Reason,
        /// What the client is told about trying again.
        retry: Retry,
    },
}

/// Why a request is refused or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its class, or its cohort of the boundary class, is not admitted.
    Priority,
    /// Too many requests are in flight for its class.
    Concurrency,
    /// More work waits than the bound allows.
    QueueFull,
    /// Its deadline has passed, or will have before its turn.
    Expired,
    /// A purge dropped it.
    Purged,
}

impl Reason {
    /// The reason as a label of a metric and in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Priority => "priority",
            Reason::Concurrency => "concurrency",
            Reason::QueueFull => "queue_full",
            Reason::Expired => "expired",
            Reason::Purged => "purged",
        }
    }
}

/// What a refused client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Do not try again: the whole fleet is busy, or nobody waits for the answer.
    Never,
    /// Another try may succeed, here or elsewhere, after this many milliseconds.
    AfterMs(u32),
}
