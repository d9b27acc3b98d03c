//! What is judged, by which signal, and how far it is from normal.

use model::{EdgeId, NameId, Threshold};
use serde::{Deserialize, Serialize};

/// A service or a service→service edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A service.
    Service(NameId),
    /// An edge.
    Edge(EdgeId),
}

/// A measured quantity with a baseline of its own. Each deviates upwards only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// Failed calls as a share, 0..1 (edges: seen by the caller; services: by their own spans).
    ErrorShare,
    /// 99th percentile of what callers waited, ms (edges).
    LatencyP99,
    /// Calls per first attempt (edges).
    Amplification,
    /// Median time not spent waiting for callees, ms (services).
    Exclusive,
    /// 99th percentile of a service's own server durations, ms (services).
    Duration,
    /// 90th percentile of client minus server duration, ms (edges): network and the queue before the server span.
    Gap,
    /// The queue delay that guards report, ms (services).
    QueueDelay,
}

impl Signal {
    /// Does it say that something takes longer (rather than that it fails, or is tried again)?
    pub fn is_time(self) -> bool {
        !matches!(self, Signal::ErrorShare | Signal::Amplification)
    }

    /// The signal's name in evidence, unit last.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::ErrorShare => "error_share",
            Signal::LatencyP99 => "latency_p99_ms",
            Signal::Amplification => "attempts_per_first_attempt",
            Signal::Exclusive => "exclusive_p50_ms",
            Signal::Duration => "duration_p99_ms",
            Signal::Gap => "client_minus_server_p90_ms",
            Signal::QueueDelay => "queue_delay_ms",
        }
    }
}

/// How far a signal was from normal when it was last measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Whose.
    pub subject: Subject,
    /// Which.
    pub signal: Signal,
    /// Robust z-score: (value − location) / spread on the signal's own scale, cut to ±100.
    pub z: f64,
    /// Value, normal and limit.
    pub threshold: Threshold,
    /// How many calls the value rests on.
    pub calls: f64,
    /// The end of the window in which it was measured, Unix ns.
    pub at_ns: u64,
}

impl Deviation {
    /// Is the value above its limit? Not while the limit is unknown.
    pub fn is_deviating(&self) -> bool {
        self.threshold.limit.is_some_and(|limit| self.threshold.value > limit)
    }
}
