//! What a period looked like: sums and histograms over windows, per operation. Integers, so the order of windows is of no
//! consequence.

use model::{Count, NameId, SparseHistogram, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys per table at most; what comes later is left out.
const KEYS_MAX: usize = 20_000;

/// An operation of a service.
pub(crate) type Operation = (NameId, NameId);

/// A period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Windows with at least one span.
    pub(crate) windows: u64,
    /// Requests from outside, as the services' rows say.
    pub(crate) entries: Count,
    /// (service, operation) → requests.
    pub(crate) served: BTreeMap<Operation, Served>,
    /// (service, inner step) → spans.
    pub(crate) steps: BTreeMap<Operation, Tally>,
    /// (callee's operation, caller) → client minus server time.
    pub(crate) gaps: BTreeMap<(Operation, NameId), SparseHistogram>,
    /// (caller's operation, callee's operation) → calls; the caller's operation is [`NameId::NONE`] where it was not known.
    pub(crate) calls: BTreeMap<(Operation, Operation), Count>,
}

/// Requests of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Served {
    pub(crate) tally: Tally,
    pub(crate) exclusive: SparseHistogram,
}

/// How many, and how many failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) calls: Count,
    pub(crate) failed: Count,
}

impl Profile {
    /// Adds a window.
    pub fn add(&mut self, window: &Window) {
        self.windows += u64::from(window.spans > 0);
        for row in &window.services {
            self.entries += row.entries;
            if let Some(served) = slot(&mut self.served, (row.key.service, row.key.operation)) {
                served.tally.calls += row.calls;
                served.tally.failed += row.failed();
                served.exclusive.merge(&row.exclusive);
            }
        }
        for row in &window.local {
            if let Some(step) = slot(&mut self.steps, (row.service, row.operation)) {
                step.calls += row.calls;
                step.failed += row.failed;
            }
        }
        for row in &window.edges {
            let callee = (row.key.callee, row.key.callee_operation);
            if let Some(gap) = slot(&mut self.gaps, (callee, row.key.caller)) {
                gap.merge(&row.gap);
            }
            let caller = (row.key.caller, row.key.caller_operation);
            if let Some(calls) = slot(&mut self.calls, (caller, callee)) {
                *calls += row.calls;
            }
        }
    }

    /// Has it seen anything?
    pub fn is_empty(&self) -> bool {
        self.windows == 0
    }

    /// Requests of all services together: what a period rests on.
    pub fn requests(&self) -> f64 {
        self.served.values().map(|served| served.tally.calls).sum::<Count>().calls()
    }

    /// Requests of one service, all operations together.
    pub(crate) fn requests_of(&self, service: NameId) -> f64 {
        let own = self.served.range((service, NameId(0))..=(service, NameId(u64::MAX)));
        own.map(|(_, served)| served.tally.calls).sum::<Count>().calls()
    }
}

fn slot<K: Ord, V: Default>(table: &mut BTreeMap<K, V>, key: K) -> Option<&mut V> {
    if table.len() >= KEYS_MAX && !table.contains_key(&key) {
        return None;
    }
    Some(table.entry(key).or_default())
}
