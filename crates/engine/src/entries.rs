//! Goodput: what came in from outside in the last window, and how much of it went well.

use model::{Count, Rollup, Window};
use serde::{Deserialize, Serialize};

/// The entries in the last window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entries {
    pub(crate) offered_rps: f64,
    pub(crate) goodput_rps: f64,
    /// Windows since the last one that was fresh.
    pub(crate) stale_in_a_row: u64,
}

impl Entries {
    /// Requests from outside are counted by service rows; flows, which may be sampled, say which share went well.
    pub(crate) fn observe(&mut self, window: &Window, rollup: &Rollup) {
        let seconds = rollup.seconds();
        let entries: Count = rollup.services.values().map(|row| row.entries).sum();
        let requests: Count = window.flows.iter().map(|row| row.requests).sum();
        let good: Count = window.flows.iter().map(|row| row.good).sum();
        let offered = if entries.is_zero() { requests } else { entries };
        self.offered_rps = offered.calls() / seconds;
        self.goodput_rps = good.share_of(requests).map_or(0.0, |share| share.min(1.0) * self.offered_rps);
    }
}
