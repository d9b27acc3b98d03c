//! A window into the graph: every service and edge is visited once, in the order of its key, and aged and added to in that
//! one visit.

use crate::latency::warm;
use crate::names::Names;
use crate::{Edge, Flow, Graph, Service};
use model::{Count, EdgeId, EdgeRow, FlowKey, NameId, Rollup, ServiceRow, Summed, Window};
use std::collections::BTreeMap;

/// How far everything ages in a step.
#[derive(Clone, Copy, Debug)]
struct Aging {
    /// The window's end, Unix ns.
    end_ns: u64,
    /// The window's own length.
    seconds: f64,
    /// Time since the last window, seconds; zero for the first.
    passed_s: f64,
    /// What is left of one: services and edges, flows.
    factor: f64,
    flow_factor: f64,
    /// What was last seen before this is forgotten, Unix ns.
    oldest_ns: u64,
}

impl Graph {
    /// Takes in a closed window; `rollup` must be the rollup of the same window. Windows come in ascending order; one that
    /// is not newer than the last is added without any decay.
    pub fn apply(&mut self, window: &Window, rollup: &Rollup) {
        let aging = self.age(rollup);
        self.completeness = f64::from(rollup.completeness_permille) / 1000.0;
        self.step_services(rollup, aging);
        self.step_edges(rollup, aging);
        self.inward.follow(self.edges.changes, self.edges.kept.keys());
        self.step_flows(window, aging);
        let mut names = std::mem::replace(&mut self.names, Names::new(1));
        self.names_dropped += names.learn(&window.names, || self.names_in_use());
        self.names = names;
    }

    fn age(&mut self, rollup: &Rollup) -> Aging {
        let passed_ns = if self.end_ns == 0 { 0 } else { rollup.end_ns.saturating_sub(self.end_ns) };
        self.end_ns = self.end_ns.max(rollup.end_ns);
        let seconds = rollup.seconds();
        Aging {
            end_ns: self.end_ns,
            seconds,
            passed_s: if passed_ns == 0 { 0.0 } else { (passed_ns as f64 / 1e9).max(seconds) },
            factor: half(passed_ns, self.config.half_life_ms),
            flow_factor: half(passed_ns, self.config.flow_half_life_ms),
            oldest_ns: self.end_ns.saturating_sub(self.config.forget_ms.saturating_mul(1_000_000)),
        }
    }

    fn step_services(&mut self, rollup: &Rollup, aging: Aging) {
        let visit = |service: &mut Service, row: Option<Option<&ServiceRow>>| {
            service.decay(aging.factor, aging.passed_s);
            match row {
                Some(Some(row)) => service.add(row, aging.end_ns, aging.seconds),
                Some(None) => service.seen(aging.end_ns, aging.seconds),
                None => {}
            }
            service.last_ns >= aging.oldest_ns
        };
        let mut rows = rollup.services.iter().peekable();
        let mentioned = ends(rollup).into_iter().map(|id| {
            while rows.next_if(|row| *row.0 < id).is_some() {}
            (id, rows.next_if(|row| *row.0 == id).map(|row| &**row.1))
        });
        self.services.decay(aging.factor);
        let warm_row = |row: Option<&ServiceRow>| row.map_or(0, |row| warm(&row.duration) ^ warm(&row.exclusive));
        let strangers = self.services.step(mentioned, warm_row, visit);
        if strangers.is_empty() {
            return;
        }
        self.services.admit(&service_weights(&strangers, rollup), Service::default);
        for (id, row) in strangers {
            self.services.kept.get_mut(&id).map(|service| visit(service, Some(row)));
        }
    }

    fn step_edges(&mut self, rollup: &Rollup, aging: Aging) {
        let operations_max = self.config.operations_per_edge_max;
        let visit = |edge: &mut Edge, row: Option<&Summed<'_, EdgeRow>>| {
            edge.decay(aging.factor, aging.passed_s);
            if let Some(sum) = row {
                edge.add(sum, aging.end_ns, aging.seconds);
                for row in sum.rows() {
                    let pair = (row.key.caller_operation, row.key.callee_operation);
                    edge.operations.count(pair, row.calls, operations_max);
                }
            }
            edge.last_ns >= aging.oldest_ns
        };
        self.edges.decay(aging.factor);
        let rows = rollup.edges.iter().map(|(id, row)| (*id, row));
        let strangers = self.edges.step(rows, |row| warm(&row.client) ^ warm(&row.gap), visit);
        if strangers.is_empty() {
            return;
        }
        let weights: Vec<(EdgeId, f64)> = strangers.iter().map(|(id, row)| (*id, row.calls.calls())).collect();
        self.edges.admit(&weights, Edge::default);
        for (id, row) in strangers {
            self.edges.kept.get_mut(&id).map(|edge| visit(edge, Some(row)));
        }
    }

    fn step_flows(&mut self, window: &Window, aging: Aging) {
        self.flows.decay(aging.flow_factor);
        self.flows.retain(|flow| {
            flow.decay(aging.flow_factor, aging.passed_s);
            flow.last_ns >= aging.oldest_ns
        });
        let weights: Vec<(FlowKey, f64)> = window.flows.iter().map(|row| (row.key, row.requests.calls())).collect();
        self.flows.admit(&weights, Flow::default);
        for row in &window.flows {
            if let Some(flow) = self.flows.kept.get_mut(&row.key) {
                flow.add(row, aging.end_ns, aging.seconds, self.config.visits_per_flow_max);
            }
        }
    }
}

/// How many calls a window says newcomers have: their own row's, else the busiest edge's.
fn service_weights(strangers: &[(NameId, Option<&ServiceRow>)], rollup: &Rollup) -> Vec<(NameId, f64)> {
    let own = |row: &Option<&ServiceRow>| row.map_or(Count::ZERO, |row| row.calls);
    let mut calls: BTreeMap<NameId, Count> = strangers.iter().map(|(id, row)| (*id, own(row))).collect();
    for (id, row) in &rollup.edges {
        for end in [id.caller, id.callee] {
            calls.entry(end).and_modify(|most| *most = (*most).max(row.calls));
        }
    }
    calls.into_iter().map(|(id, calls)| (id, calls.calls())).collect()
}

/// All services that a window mentions, sorted; the outside world is none.
fn ends(rollup: &Rollup) -> Vec<NameId> {
    // Edges are sorted by caller: only their callees come in any order.
    let mut ends: Vec<NameId> = rollup.edges.keys().map(|id| id.callee).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut callers: Vec<NameId> = rollup.edges.keys().map(|id| id.caller).collect();
    callers.dedup();
    ends.extend(callers);
    ends.extend(rollup.services.keys().copied());
    ends.retain(|id| id.is_some());
    // Three runs that are sorted already: merging them is one pass.
    ends.sort();
    ends.dedup();
    ends
}

/// What is left of one after `passed_ns` with this half-life.
fn half(passed_ns: u64, half_life_ms: u64) -> f64 {
    libm::exp2(-(passed_ns as f64 / 1e6) / half_life_ms.max(1) as f64)
}
