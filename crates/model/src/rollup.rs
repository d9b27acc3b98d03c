//! A window summed up over operations and sub-dimensions: one row per service, one per service→service edge.
//!
//! What the graph, the learner and the detectors look at. Integers only, so the sum does not depend on the order of rows.

use crate::{Count, EdgeKey, EdgeRow, NameId, ServiceKey, ServiceRow, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;

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

/// A row of a rollup: most services and edges have one row in a window, which is then only pointed at.
#[derive(Clone, Debug)]
pub enum Summed<'a, T> {
    /// The one row there is, with its operation and sub-dimensions in the key.
    One(&'a T),
    /// The sum of several rows, in whose key only what all of them share is set; and the rows.
    Many(Box<(T, Vec<&'a T>)>),
}

impl<'a, T> Summed<'a, T> {
    /// The rows that are summed up, in the window's order.
    pub fn rows(&self) -> &[&'a T] {
        match self {
            Summed::One(row) => std::slice::from_ref(row),
            Summed::Many(many) => &many.1,
        }
    }
}

impl<T> Deref for Summed<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Summed::One(row) => row,
            Summed::Many(many) => &many.0,
        }
    }
}

impl<T: PartialEq> PartialEq for Summed<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> From<T> for Summed<'_, T> {
    fn from(row: T) -> Self {
        Summed::Many(Box::new((row, Vec::new())))
    }
}

/// A window, rolled up. Of the rows' keys only the service, and caller, callee and kind, mean something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollup<'a> {
    /// The window's end, Unix nanoseconds (exclusive).
    pub end_ns: u64,
    /// How long it is.
    pub width_ns: u64,
    /// How much of what belongs here had probably arrived at the close, in 1/1000.
    pub completeness_permille: u16,
    /// Services.
    pub services: BTreeMap<NameId, Summed<'a, ServiceRow>>,
    /// Edges.
    pub edges: BTreeMap<EdgeId, Summed<'a, EdgeRow>>,
}

impl<'a> Rollup<'a> {
    /// The sum of a window's rows.
    pub fn of(window: &'a Window) -> Rollup<'a> {
        let services = window.services.iter().map(|row| (row.key.service, row)).collect();
        let edges = window.edges.iter().map(|row| (EdgeId::of(&row.key), row)).collect();
        Rollup {
            end_ns: window.end_ns,
            width_ns: window.width_ns,
            completeness_permille: window.completeness_permille,
            services: summed(
                services,
                |row: &ServiceRow| ServiceRow {
                    key: ServiceKey { service: row.key.service, ..ServiceKey::default() },
                    ..row.clone()
                },
                ServiceRow::absorb,
            ),
            edges: summed(
                edges,
                |row: &EdgeRow| EdgeRow {
                    key: EdgeKey {
                        caller: row.key.caller,
                        callee: row.key.callee,
                        kind: row.key.kind,
                        ..EdgeKey::default()
                    },
                    ..row.clone()
                },
                EdgeRow::absorb,
            ),
        }
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

impl EdgeId {
    /// The edge that a row is about.
    pub fn of(key: &EdgeKey) -> EdgeId {
        EdgeId { caller: key.caller, callee: key.callee }
    }
}

/// Rows by key, those of one key added up. Integers: the order of addition does not matter.
fn summed<'a, K: Ord, T>(
    mut rows: Vec<(K, &'a T)>,
    start: impl Fn(&T) -> T,
    absorb: impl Fn(&mut T, &T),
) -> BTreeMap<K, Summed<'a, T>> {
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sums: Vec<(K, Summed<'a, T>)> = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        match sums.last_mut() {
            Some((last, sum)) if *last == key => {
                if let Summed::One(first) = sum {
                    *sum = Summed::Many(Box::new((start(first), vec![*first])));
                }
                if let Summed::Many(many) = sum {
                    absorb(&mut many.0, row);
                    many.1.push(row);
                }
            }
            _ => sums.push((key, Summed::One(row))),
        }
    }
    // From a sorted list the map is built in one pass.
    sums.into_iter().collect()
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
        self.lost += other.lost;
        add_all(&mut self.criticality, &other.criticality);
        self.unweighted += other.unweighted;
        self.spans += other.spans;
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
        self.spans += other.spans;
        self.ahead_us = self.ahead_us.max(other.ahead_us);
        self.behind_us = self.behind_us.max(other.behind_us);
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
        let mut reversed = window.clone();
        reversed.edges.reverse();
        let rollup = Rollup::of(&window);
        assert_eq!(rollup, Rollup::of(&reversed));
        let edge = &rollup.edges[&EdgeId { caller: NameId(1), callee: NameId(2) }];
        assert_eq!((edge.calls, edge.key.kind), (Count::of(5), EdgeKind::Call));
        assert_eq!(edge.key.callee_operation, NameId::NONE);
    }
}
