//! How long a window waits for spans that are still on their way.

use crate::PartitionId;
use serde::{Deserialize, Serialize};

/// How long after a window's end (in event time) it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grace {
    /// The 99th percentile of the lateness measured on the partition (of its slowest significant exporter), with a margin.
    Auto {
        /// Never less, milliseconds.
        min_ms: u32,
        /// Never more, and the value until enough is measured, milliseconds.
        max_ms: u32,
    },
    /// Always the same.
    Fixed {
        /// Milliseconds.
        grace_ms: u32,
    },
}

impl Default for Grace {
    fn default() -> Self {
        Grace::Auto { min_ms: 200, max_ms: 10_000 }
    }
}

/// The grace of a partition changed; goes to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraceChange {
    /// Where.
    pub partition: PartitionId,
    /// The grace before, milliseconds.
    pub before_ms: u32,
    /// The grace from now on, milliseconds.
    pub grace_ms: u32,
}
