//! A refused request.

use admission::{Reason, Retry};
use model::Criticality;
use std::fmt;

/// Why a request was not let in, and what its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// May it try again?
    pub retry: Retry,
    /// The class of the request.
    pub criticality: Criticality,
    /// How long it waited before it was dropped, milliseconds.
    pub waited_ms: u32,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            Reason::Priority => "its class is not admitted now",
            Reason::Concurrency => "too many requests are in flight",
            Reason::QueueFull => "too much work waits",
            Reason::Expired => "its deadline would pass before its turn",
            Reason::Purged => "it waited too long and was purged",
        };
        match self.retry {
            Retry::Never => write!(out, "refused: {reason}; do not try again"),
            Retry::AfterMs(after_ms) => write!(out, "refused: {reason}; try again after {after_ms} ms"),
        }
    }
}

impl std::error::Error for Refusal {}
