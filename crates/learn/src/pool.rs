//! Pools the windows of a quiet edge until there are enough calls to say something.

use model::{Count, EdgeRow, Failure, SparseHistogram};
use serde::{Deserialize, Serialize};

/// What an edge's callers saw since the last judgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) calls: Count,
    pub(crate) first_attempts: Count,
    pub(crate) failed: Count,
    pub(crate) shed: Count,
    seen: f64,
    pub(crate) client: SparseHistogram,
    pub(crate) gap: SparseHistogram,
}

/// What a judgement needs of pooled windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooled {
    pub(crate) calls: Count,
    pub(crate) first_attempts: Count,
    pub(crate) failed: Count,
    pub(crate) shed: Count,
    /// Spans behind them: what is known of sampled calls is as sure as so many make it.
    pub(crate) seen: f64,
    pub(crate) client_p99_us: Option<u64>,
    pub(crate) gap_p90_us: Option<u64>,
}

impl Pool {
    /// Adds a window's row. Says what to judge if that is enough, and is empty afterwards; a busy edge's row is enough by
    /// itself and is never copied.
    pub(crate) fn judgeable(&mut self, row: &EdgeRow, calls_min: f64) -> Option<Pooled> {
        if self.calls.is_zero() && row.seen() >= calls_min {
            return Some(Pooled {
                calls: row.calls,
                first_attempts: row.first_attempts,
                failed: row.failed(),
                shed: row.failed_by(Failure::Shed),
                seen: row.seen(),
                client_p99_us: row.client.quantile_us(990),
                gap_p90_us: row.gap.quantile_us(900),
            });
        }
        self.calls += row.calls;
        self.first_attempts += row.first_attempts;
        self.failed += row.failed();
        self.shed += row.failed_by(Failure::Shed);
        self.seen += row.seen();
        self.client.merge(&row.client);
        self.gap.merge(&row.gap);
        if self.seen < calls_min {
            return None;
        }
        let pool = std::mem::take(self);
        Some(Pooled {
            calls: pool.calls,
            first_attempts: pool.first_attempts,
            failed: pool.failed,
            shed: pool.shed,
            seen: pool.seen,
            client_p99_us: pool.client.quantile_us(990),
            gap_p90_us: pool.gap.quantile_us(900),
        })
    }
}
