//! One deterministic state machine: [`Engine::apply`] takes an input and gives effects.
//!
//! Windows go through graph, learn, detect and decide; ticks drive leases; reports, orders and configurations change what
//! the next step decides. No clock, no IO, no logging, no randomness: the same inputs give the same effects and the same
//! [`Engine::digest`], bit for bit.

mod apply;
mod config;
mod counters;
mod effect;
mod entries;
mod input;
pub mod invariants;
mod snapshot;
mod succession;
#[cfg(test)]
mod tests;
mod view;
mod window;

pub use config::EngineConfig;
pub use counters::Counters;
pub use decide::{Limits, ModeRule, Pace, Policy};
pub use effect::Effect;
pub use input::{Input, Partition};
pub use snapshot::SnapshotError;

use decide::{Ledger, Usage};
use detect::Detector;
use entries::Entries;
use graph::Graph;
use learn::Learner;
use model::{Command, Finding, Mode, Window};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use succession::Succession;
use witness::Witness;

/// The engine. Its whole state is a value: cloning it forks the future.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    config: EngineConfig,
    graph: Graph,
    learner: Learner,
    detector: Detector,
    usage: Usage,
    ledger: Ledger,
    entries: Entries,
    succession: Succession,
    witness: Witness,
    counters: Counters,
    /// The last windows, for [`Engine::rank`]; empty unless the configuration asks for them.
    history: VecDeque<Window>,
    end_ns: u64,
    now_ms: u64,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(config: EngineConfig) -> Engine {
        Engine {
            graph: Graph::new(config.graph()),
            learner: Learner::new(config.learn()),
            detector: Detector::new(config.detect()),
            usage: Usage::default(),
            ledger: Ledger::default(),
            entries: Entries::default(),
            succession: Succession::default(),
            witness: Witness::default(),
            counters: Counters::default(),
            history: VecDeque::new(),
            end_ns: 0,
            now_ms: 0,
            config,
        }
    }

    /// Open findings, sorted by id.
    pub fn findings(&self) -> Vec<Finding> {
        self.detector.open().into_iter().cloned().collect()
    }

    /// Commands in force, proposed or observed, as they were last sent; sorted by (target, knob).
    pub fn commands(&self) -> Vec<Command> {
        self.ledger.commands(&self.config.policy())
    }

    /// The mode of everything that no rule names: a person's order, else the configuration.
    pub fn mode(&self) -> Mode {
        self.ledger.mode_set().unwrap_or(self.config.mode)
    }

    /// `Some(who)` has disarmed the engine; `None` while it is armed.
    pub fn disarmed_by(&self) -> Option<&str> {
        self.ledger.disarmed_by()
    }

    /// Counters of what was taken in, sent and ignored.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The configuration in force.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The live graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What producers counted themselves, against the spans.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// What is in force, and what is remembered of it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The end of the last window that was taken in, Unix nanoseconds; zero before the first.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }
}
