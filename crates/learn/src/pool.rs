//! Pools the windows of a quiet edge until there are enough calls to say something.

use model::{Count, EdgeRow, SparseHistogram};
use serde::{Deserialize, Serialize};

/// What an edge's callers saw since the last judgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) calls: Count,
    pub(crate) first_attempts: Count,
    pub(crate) failed: Count,
    pub(crate) shed: Count,
    pub(crate) client: SparseHistogram,
    pub(crate) gap: SparseHistogram,
}

impl Pool {
    pub(crate) fn add(&mut self, row: &EdgeRow) {
        self.calls += row.calls;
        self.first_attempts += row.first_attempts;
        self.failed += row.failed();
        self.shed += row.failed_by(model::Failure::Shed);
        self.client.merge(&row.client);
        self.gap.merge(&row.gap);
    }

    /// Everything pooled, if it is enough; the pool is empty afterwards.
    pub(crate) fn take(&mut self, calls_min: f64) -> Option<Pool> {
        (self.calls.calls() >= calls_min).then(|| std::mem::take(self))
    }
}
