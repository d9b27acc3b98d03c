//! A window summed up over operations and sub-dimensions: one row per service, one per service→service edge.
//!
//! What the graph, the learner and the detectors look at. Integers only, so the sum does not depend on the order of rows.

use crate::{Count, EdgeKey, EdgeRow, NameId, ServiceKey, ServiceRow, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many exemplar traces a rolled-up edge keeps.
const EXEMPLARS_MAX: usize = 4;

/// A service→service edge, all operations together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeId {
    /// Who calls; [`NameId::NONE`] for the outside world.
    pub caller: NameId,
    /// Who is called.
    pub callee: NameId,
}

/// A window, rolled up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// The window's end, Unix nanoseconds (exclusive).
    pub end_ns: u64,
    /// How long it is.
    pub width_ns: u64,
    /// How much of what belongs here had probably arrived at the close, in 1/1000.
    pub completeness_permille: u16,
    /// Services; in each row's key only the service is set.
    pub services: BTreeMap<NameId, ServiceRow>,
    /// Edges; in each row's key only caller, callee and kind are set.
    pub edges: BTreeMap<EdgeId, EdgeRow>,
}

impl Rollup {
    /// The sum of a window's rows.
    pub fn of(window: &Window) -> Rollup {
        let mut rollup = Rollup {
            end_ns: window.end_ns,
            width_ns: window.width_ns,
            completeness_permille: window.completeness_permille,
            ..Rollup::default()
        };
        for row in &window.services {
            let key = ServiceKey { service: row.key.service, ..ServiceKey::default() };
            let empty = || ServiceRow { key, ..ServiceRow::default() };
            rollup.services.entry(key.service).or_insert_with(empty).absorb(row);
        }
        for row in &window.edges {
            let id = EdgeId { caller: row.key.caller, callee: row.key.callee };
            let key = EdgeKey { caller: id.caller, callee: id.callee, kind: row.key.kind, ..EdgeKey::default() };
            rollup.edges.entry(id).or_insert_with(|| EdgeRow { key, ..EdgeRow::default() }).absorb(row);
        }
        rollup
    }

    /// The window's width in seconds; one for a window of no width.
    pub fn seconds(&self) -> f64 {
        if self.width_ns == 0 { 1.0 } else { self.width_ns as f64 / 1e9 }
    }

    /// The window's end in Unix milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.end_ns / 1_000_000
    }
}

impl ServiceRow {
    /// Adds what `other` counted; the key stays.
    pub fn absorb(&mut self, other: &ServiceRow) {
        self.calls += other.calls;
        self.entries += other.entries;
        add_all(&mut self.failures, &other.failures);
        self.duration.merge(&other.duration);
        self.exclusive.merge(&other.exclusive);
        self.busy_us = self.busy_us.saturating_add(other.busy_us);
        self.wasted += other.wasted;
        add_all(&mut self.criticality, &other.criticality);
        self.unweighted += other.unweighted;
    }
}

impl EdgeRow {
    /// Adds what `other` counted; caller, callee and operations stay, the kind is the better-known one of the two, and
    /// the timeout is the longest (a service with several clients is late for all of them only past the longest).
    pub fn absorb(&mut self, other: &EdgeRow) {
        self.key.kind = self.key.kind.min(other.key.kind);
        self.calls += other.calls;
        self.first_attempts += other.first_attempts;
        self.retries += other.retries;
        add_all(&mut self.failures, &other.failures);
        self.client.merge(&other.client);
        self.server.merge(&other.server);
        self.gap.merge(&other.gap);
        self.busy_us = self.busy_us.saturating_add(other.busy_us);
        self.wasted += other.wasted;
        self.unpaired += other.unpaired;
        self.timeout_us = self.timeout_us.max(other.timeout_us);
        add_all(&mut self.criticality, &other.criticality);
        self.exemplars.extend_from_slice(&other.exemplars);
        self.exemplars.sort_unstable_by_key(|trace| (trace.hash(), *trace));
        self.exemplars.dedup();
        self.exemplars.truncate(EXEMPLARS_MAX);
        self.biased |= other.biased;
    }
}

fn add_all<const N: usize>(into: &mut [Count; N], from: &[Count; N]) {
    for (sum, count) in into.iter_mut().zip(from) {
        *sum += *count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EdgeKind;

    #[test]
    fn operations_add_up_to_one_edge_in_any_order() {
        let row = |operation: u64, calls: u64, kind| EdgeRow {
            key: EdgeKey {
                caller: NameId(1),
                callee: NameId(2),
                callee_operation: NameId(operation),
                kind,
                ..EdgeKey::default()
            },
            calls: Count::of(calls),
            ..EdgeRow::default()
        };
        let mut window = Window { width_ns: 1_000_000_000, ..Window::default() };
        window.edges = vec![row(5, 2, EdgeKind::External), row(6, 3, EdgeKind::Call)];
        let rollup = Rollup::of(&window);
        window.edges.reverse();
        assert_eq!(rollup, Rollup::of(&window));
        let edge = &rollup.edges[&EdgeId { caller: NameId(1), callee: NameId(2) }];
        assert_eq!((edge.calls, edge.key.kind), (Count::of(5), EdgeKind::Call));
        assert_eq!(edge.key.callee_operation, NameId::NONE);
    }
}
