//! What the edges into a service say of it in one window.

use model::{EdgeKind, EdgeRow, NameId};
use std::collections::BTreeMap;

/// All edges into one service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inward {
    pub(crate) calls: f64,
    pub(crate) first_attempts: f64,
    /// The median gap above each edge's normal one, ms, weighted by calls; `None` while no edge's normal gap is known.
    pub(crate) gap_above_ms: Option<f64>,
    pub(crate) biased: bool,
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
        if let (Some(normal_ms), Some(gap_us)) = (normal_gap_ms, row.gap.quantile_us(500)) {
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
