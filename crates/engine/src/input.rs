//! What enters the engine, in the order in which it is journalled.

use crate::EngineConfig;
use model::{GuardReport, Order, Window, WitnessRow};
use serde::{Deserialize, Serialize};

/// One input. The same inputs in the same order give the same effects, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A closed window, merged over all shards.
    Window(Window),
    /// What time it is: drives leases and timeouts.
    Tick {
        /// Wall time, Unix milliseconds; in a replay the window's end plus the grace.
        now_ms: u64,
    },
    /// What a guard says of its service.
    Report(GuardReport),
    /// What a person orders, verified.
    Order(Order),
    /// A new configuration, validated.
    Config(Box<EngineConfig>),
    /// A partition fell silent and holds no watermark back until it speaks again.
    Idle {
        /// Which.
        partition: Partition,
    },
    /// An idle partition speaks again.
    Awake {
        /// Which.
        partition: Partition,
    },
    /// The partitions that are read from now on, all of them.
    Assigned {
        /// Which, sorted.
        partitions: Vec<Partition>,
    },
    /// The share of traces that the pipeline keeps under its own overload.
    Sampling {
        /// In 1/1000.
        kept_permille: u16,
    },
    /// The grace of a partition changed.
    GraceChanged {
        /// Which.
        partition: Partition,
        /// The new grace in milliseconds.
        grace_ms: u64,
    },
    /// What producers counted themselves.
    Measured(Vec<WitnessRow>),
}

/// A partition of the telemetry, by its topic's place in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// The topic's place in the configuration.
    pub topic: u16,
    /// The partition.
    pub partition: i32,
}
