//! What the console shows and whom it asks: one trait, implemented by whoever runs the pipeline. Every method returns at
//! once with the latest published state, except [`Station::order`], which waits for the engine's answer, and
//! [`Station::report`], which waits for room.

use model::{Command, Finding, GraphView, GuardReport, Mode, Order};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A command that is in force, or a proposal that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The command as the engine decided it.
    pub command: Command,
    /// When its lease ends unless it is renewed, Unix milliseconds.
    pub expires_ms: u64,
}

/// Who decides, and how far it may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The decision domain.
    pub domain: String,
    /// The mode of everything that has none of its own.
    pub mode: Mode,
    /// False after a disarm order, until somebody arms it again.
    pub armed: bool,
    /// The wall clock, Unix milliseconds: countdowns on the page are relative to it.
    pub now_ms: u64,
}

/// An answer to a health probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Is it well?
    pub well: bool,
    /// What is not, one sentence each.
    pub complaints: Vec<String>,
}

/// Goodput at one time, for the sparkline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// The window's end, Unix milliseconds.
    pub at_ms: u64,
    /// Entry requests per second that succeeded.
    pub goodput_rps: f64,
    /// Entry requests per second.
    pub offered_rps: f64,
}

/// Something that happened, for the event stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A finding opened, changed or closed.
    Finding(Box<Finding>),
    /// A command or proposal was sent, renewed or released.
    Command(Box<Command>),
}

/// Events with their place in the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Where to go on.
    pub next: u64,
    /// What happened since, oldest first; the oldest are missing if they had already been overwritten.
    pub events: Vec<(u64, Event)>,
}

/// A record of the control topic as it lies there, so that whoever reads it over HTTP can verify the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// The record's key.
    pub key: String,
    /// Its headers; of two of one name the last.
    pub headers: BTreeMap<String, String>,
    /// The value's exact text.
    pub value: String,
    /// The broker's timestamp, Unix milliseconds: leases count from it.
    pub timestamp_ms: u64,
}

/// The control topic from some place on: of each key the newest record only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Where to go on.
    pub next: u64,
    /// Records with their place in the topic, in its order.
    pub records: Vec<(u64, Arc<ControlRecord>)>,
}

/// Why something cannot be had or taken at the moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; try again")]
pub struct Away {
    /// What is known of it.
    pub why: String,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// The engine is not there at the moment.
    #[error("no engine takes orders at the moment ({why}); try again, or produce the signed order to the orders topic")]
    Away {
        /// What is known of it.
        why: String,
    },
    /// The engine does not carry it out.
    #[error("the order was refused: {why}")]
    Refused {
        /// Its reason.
        why: String,
    },
}

/// The running pipeline, as the console sees it.
pub trait Station: Send + Sync + 'static {
    /// The live graph.
    fn graph(&self) -> Arc<GraphView>;
    /// Findings that are open, the newest first.
    fn findings(&self) -> Vec<Finding>;
    /// Commands in force and proposals that stand.
    fn commands(&self) -> Vec<Standing>;
    /// Metrics in the Prometheus text format.
    fn metrics(&self) -> String;
    /// Does the process make progress? An answer of "no" asks for a restart.
    fn live(&self) -> Health;
    /// Does it read telemetry and decide?
    fn ready(&self) -> Health;
    /// What it did so far.
    fn summary(&self) -> serde_json::Value;
    /// Who decides.
    fn status(&self) -> Status;
    /// Goodput of the last minutes, oldest first.
    fn pulses(&self) -> Vec<Pulse>;
    /// What happened since `next` (0 is everything that is still kept).
    fn events(&self, next: u64) -> Events;
    /// The control topic from place `next` on (0 is all of it).
    ///
    /// # Errors
    /// While the topic's state has not been read to its end yet.
    fn control(&self, next: u64) -> Result<Control, Away>;
    /// Hands guards' reports on to the reports topic. May wait a moment for room.
    ///
    /// # Errors
    /// If there is no room, or no broker.
    fn report(&self, reports: Vec<GuardReport>) -> Result<(), Away>;
    /// Hands an order to the engine and waits until its effects are on the topics.
    ///
    /// # Errors
    /// If no engine took it, or it was refused.
    fn order(&self, order: Order) -> Result<(), OrderRefused>;
}
