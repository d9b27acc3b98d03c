//! One deterministic state machine: [`Engine::apply`] takes an input and gives effects.
//!
//! Windows go through graph, learn, detect and decide; ticks drive leases; reports, orders and configurations change what
//! the next step decides. No clock, no IO, no logging, no randomness: the same inputs give the same effects and the same
//! [`Engine::digest`], bit for bit.

#![allow(clippy::todo)]

mod config;
mod effect;
mod input;
mod snapshot;

pub use config::EngineConfig;
pub use decide::{Limits, ModeRule, Pace, Policy};
pub use effect::Effect;
pub use input::{Input, Partition};
pub use snapshot::SnapshotError;

use model::{Command, Finding, GraphView, Mode};

/// The engine.
#[derive(Clone, Debug)]
pub struct Engine {
    config: EngineConfig,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(config: EngineConfig) -> Engine {
        Engine { config }
    }

    /// Takes one input and says what is to be done.
    pub fn apply(&mut self, input: &Input) -> Vec<Effect> {
        let _ = input;
        Vec::new()
    }

    /// The live graph with its learned thresholds.
    pub fn view(&self) -> GraphView {
        GraphView::default()
    }

    /// Open findings, sorted by id.
    pub fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Commands in force, proposed or observed, sorted by (target, knob).
    pub fn commands(&self) -> Vec<Command> {
        Vec::new()
    }

    /// Likely origins of what began at `onset_ms` (Unix milliseconds), the likeliest first, with scores.
    pub fn rank(&self, onset_ms: u64) -> Vec<(String, f64)> {
        let _ = onset_ms;
        Vec::new()
    }

    /// The mode of everything that no rule names: a person's order, else the configuration.
    pub fn mode(&self) -> Mode {
        self.config.mode
    }

    /// `Some(who)` has disarmed the engine; `None` while it is armed.
    pub fn disarmed_by(&self) -> Option<&str> {
        None
    }

    /// Counters of what was ignored or refused.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// The configuration in force.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// A hash of the whole state.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.snapshot()).as_bytes()
    }

    /// The whole state, versioned.
    pub fn snapshot(&self) -> Vec<u8> {
        todo!()
    }

    /// The engine as it was when `snapshot` was taken.
    pub fn restore(snapshot: &[u8]) -> Result<Engine, SnapshotError> {
        let _ = snapshot;
        todo!()
    }
}

/// What the engine took in, and what it ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Windows that were taken in.
    pub windows: u64,
    /// Of these, stale ones: they updated what is known and caused nothing.
    pub windows_stale: u64,
    /// Windows whose end was not after the last one's: ignored.
    pub windows_ignored: u64,
    /// Spans in the windows that were taken in.
    pub spans: u64,
    /// Late spans in them.
    pub late: u64,
    /// Rows that a cap folded into `other`.
    pub folded: u64,
    /// Guards' reports.
    pub reports: u64,
    /// Orders of people.
    pub orders: u64,
    /// Commands for the control topic, renewals and releases included.
    pub commands: u64,
    /// The same for the proposals topic.
    pub proposals: u64,
    /// Findings that opened.
    pub findings: u64,
    /// Commands that a gate turned into proposals.
    pub gated: u64,
}
