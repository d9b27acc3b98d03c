//! What the edges into a service say of it in one window.

use model::{Count, EdgeKind, EdgeRow, FAILURES, Failure, NameId};
use std::collections::BTreeMap;

/// All edges into one service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inward {
    pub(crate) calls: f64,
    pub(crate) first_attempts: f64,
    /// The median gap above each edge's normal one, ms, weighted by calls; `None` while no edge's normal gap is known.
    pub(crate) gap_above_ms: Option<f64>,
    /// The longest wait after which most calls of an edge timed out, ms: a censored delay.
    pub(crate) censored_ms: Option<f64>,
    pub(crate) biased: bool,
}

/// Requests that were turned away at the door (a full queue, a limiter): no work was done on them.
pub(crate) fn refused(failures: &[Count; FAILURES]) -> Count {
    failures[Failure::Shed.index()] + failures[Failure::Unavailable.index()]
}

/// The median of what was worked on, as a quantile of everything in 1/1000: what was turned away is the quickest.
pub(crate) fn worked_median(calls: Count, refused: Count) -> u32 {
    let share = refused.share_of(calls).unwrap_or(0.0).min(1.0);
    (500.0 * (1.0 + share)) as u32
}

/// The sums while they grow: by service, with the calls that weigh its gap.
#[derive(Debug, Default)]
pub(crate) struct Inwards(BTreeMap<NameId, (Inward, f64)>);

impl Inwards {
    /// Nothing said yet of these services, which are sorted.
    pub(crate) fn of_services(services: impl Iterator<Item = NameId>) -> Inwards {
        Inwards(services.map(|id| (id, Default::default())).collect())
    }

    /// Adds an edge's row; its gap counts above its normal one.
    pub(crate) fn add(&mut self, callee: NameId, row: &EdgeRow, normal_gap_ms: Option<f64>) {
        if !callee.is_some() || row.key.kind != EdgeKind::Call {
            return;
        }
        let (sum, weight) = self.0.entry(callee).or_default();
        sum.calls += row.calls.calls();
        sum.first_attempts += row.first_attempts.calls();
        sum.biased |= row.biased;
        let timeouts = row.failed_by(Failure::Timeout).calls();
        let waited_us = if row.timeout_us > 0 { Some(row.timeout_us) } else { row.client.quantile_us(500) };
        if let (true, Some(waited_us)) = (timeouts * 2.0 > row.calls.calls(), waited_us) {
            sum.censored_ms = Some(sum.censored_ms.unwrap_or(0.0).max(waited_us as f64 / 1000.0));
        }
        let median = worked_median(row.calls, refused(&row.failures));
        if let (Some(normal_ms), Some(gap_us)) = (normal_gap_ms, row.gap.quantile_us(median)) {
            let calls = row.gap.total().calls();
            let above_ms = (gap_us as f64 / 1000.0 - normal_ms).max(0.0);
            sum.gap_above_ms = Some(sum.gap_above_ms.unwrap_or(0.0) + above_ms * calls);
            *weight += calls;
        }
    }

    /// The sums, by service.
    pub(crate) fn finish(mut self) -> BTreeMap<NameId, Inward> {
        self.0.remove(&NameId::NONE);
        let mean = |(id, (mut sum, weight)): (NameId, (Inward, f64))| {
            sum.gap_above_ms = sum.gap_above_ms.filter(|_| weight > 0.0).map(|gap| gap / weight);
            (id, sum)
        };
        self.0.into_iter().map(mean).collect()
    }
}
