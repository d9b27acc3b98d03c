//! How long work waits before it is begun, as an interval.

use model::Interval;
use serde::{Deserialize, Serialize};

/// From where a queue delay is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum QueueSource {
    /// A guard said it: the interval is one value.
    Guard,
    /// Inferred: from the client-minus-server gap above normal (low) to that plus the server's exclusive time above
    /// normal (high), because asynchronous servers begin their span at arrival.
    Spans,
}

/// A service's queue delay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueDelay {
    /// Milliseconds.
    pub delay_ms: Interval,
    /// From where it is known.
    pub source: QueueSource,
    /// The end of the window (or report) in which it was measured, Unix ns.
    pub at_ns: u64,
}
