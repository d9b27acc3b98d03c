//! The fleet in motion.
#![allow(clippy::todo)]

use crate::Topology;
use model::{Command, GuardReport, LEVELS};

/// How a world starts.
#[derive(Clone, Debug, Default)]
pub struct WorldConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// The Unix time of the world's beginning, in nanoseconds.
    pub start_unix_ns: u64,
    /// Do guards obey commands? If not, commands are counted and ignored.
    pub obey: bool,
}

/// One batch of spans as one instance's exporter sends it.
#[derive(Clone, Debug)]
pub struct Export {
    /// When it is sent, Unix nanoseconds.
    pub at_ns: u64,
    /// The service.
    pub service: String,
    /// How many spans it holds.
    pub spans: usize,
}

/// One virtual second of the whole fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that clients began.
    pub offered: u64,
    /// Requests that were answered well within the client's patience.
    pub good: u64,
    /// Requests that failed for good.
    pub failed: u64,
    /// Requests whose last answer was a refusal on purpose.
    pub shed: u64,
    /// Calls between services, and of clients, that were first attempts.
    pub first_attempts: u64,
    /// All calls, retries included.
    pub attempts: u64,
    /// Refusals on purpose anywhere in the fleet, by criticality, lowest first.
    pub sheds: [u64; LEVELS],
}

/// A fleet in virtual time. Times are nanoseconds since the world's beginning unless they say Unix.
pub struct World;

impl World {
    /// A world at time 0.
    pub fn new(topology: Topology, config: WorldConfig) -> World {
        let _ = (topology, config);
        todo!()
    }

    /// Lets everything happen up to `t_ns` after the beginning, inclusive.
    pub fn run_until(&mut self, t_ns: u64) {
        let _ = t_ns;
        todo!()
    }

    /// Virtual nanoseconds since the beginning.
    pub fn now_ns(&self) -> u64 {
        todo!()
    }

    /// What exporters have sent since the last call, in the order of sending.
    pub fn take_exports(&mut self) -> Vec<Export> {
        todo!()
    }

    /// What guards have reported since the last call: one report an instance a virtual second.
    pub fn take_reports(&mut self) -> Vec<GuardReport> {
        todo!()
    }

    /// A command arrives at every guard. `broker_ms` is the record's broker time, Unix milliseconds.
    pub fn command(&mut self, command: &Command, broker_ms: u64) {
        let _ = (command, broker_ms);
        todo!()
    }

    /// The seconds that have ended, from the first.
    pub fn tally(&self) -> &[Second] {
        todo!()
    }
}
