//! What the engine took in, sent and ignored.

use serde::{Deserialize, Serialize};

/// Counters since the start of the state (a snapshot carries them on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Windows that were taken in.
    pub windows: u64,
    /// Of these, stale ones: they updated what is known and caused nothing.
    pub windows_stale: u64,
    /// Windows whose end was not after the last one's: ignored.
    pub windows_ignored: u64,
    /// Spans in the windows that were taken in.
    pub spans: u64,
    /// Calls in them.
    pub calls: u64,
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
    /// Commands that a gate turned into proposals, wholly or in part.
    pub gated: u64,
}
