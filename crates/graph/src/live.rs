//! The graph itself: windows in, decayed rates out.

use crate::bounded::Bounded;
use crate::inward::Inward;
use crate::names::Names;
use crate::{Edge, Flow, FlowUse, Service};
use model::{Count, EdgeId, EdgeRow, FlowKey, NameId, Rollup, Window};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Caps and half-lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphConfig {
    /// Services at most.
    pub services_max: usize,
    /// Edges at most.
    pub edges_max: usize,
    /// Operation pairs per edge at most.
    pub operations_per_edge_max: usize,
    /// Flows at most.
    pub flows_max: usize,
    /// Services that one flow remembers at most.
    pub visits_per_flow_max: usize,
    /// Texts of names at most.
    pub names_max: usize,
    /// After this long an observation counts half, for services and edges, ms.
    pub half_life_ms: u64,
    /// The same for flows, ms.
    pub flow_half_life_ms: u64,
    /// What was silent for this long is forgotten, ms.
    pub forget_ms: u64,
    /// An edge stays marked biased for this long after the last biased window, ms.
    pub biased_hold_ms: u64,
}

impl Default for GraphConfig {
    fn default() -> Self {
        GraphConfig {
            services_max: 2_000,
            edges_max: 10_000,
            operations_per_edge_max: 16,
            flows_max: 2_000,
            visits_per_flow_max: 128,
            names_max: 50_000,
            half_life_ms: 5_000,
            flow_half_life_ms: 15_000,
            forget_ms: 300_000,
            biased_hold_ms: 60_000,
        }
    }
}

/// The live dependency graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    config: GraphConfig,
    services: Bounded<NameId, Service>,
    edges: Bounded<EdgeId, Edge>,
    inward: Inward,
    flows: Bounded<FlowKey, Flow>,
    names: Names,
    end_ns: u64,
    completeness: f64,
    names_dropped: u64,
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new(GraphConfig::default())
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(config: GraphConfig) -> Graph {
        Graph {
            services: Bounded::new(config.services_max),
            edges: Bounded::new(config.edges_max),
            inward: Inward::default(),
            flows: Bounded::new(config.flows_max),
            names: Names::new(config.names_max),
            config,
            end_ns: 0,
            completeness: 0.0,
            names_dropped: 0,
        }
    }

    /// Takes in a closed window; `rollup` must be the rollup of the same window. Windows come in ascending order; one that
    /// is not newer than the last is added without any decay.
    pub fn apply(&mut self, window: &Window, rollup: &Rollup) {
        let seconds = rollup.seconds();
        self.fade(rollup.end_ns, seconds);
        let ends = ends(rollup);
        self.admit(window, rollup, &ends);
        self.inward.follow(self.edges.changes, self.edges.kept.keys());
        let end_ns = self.end_ns;
        self.services.join(ends.iter().map(|id| (*id, ())), |service, ()| service.seen(end_ns, seconds));
        self.services.join(rollup.services.iter().map(|(id, row)| (*id, row)), |service, row| {
            service.add(row, end_ns, seconds);
        });
        self.edges.join(rollup.edges.iter().map(|(id, row)| (*id, row)), |edge, row| edge.add(row, end_ns, seconds));
        let operations_max = self.config.operations_per_edge_max;
        let mut rows: Vec<(EdgeId, &EdgeRow)> = window.edges.iter().map(|row| (EdgeId::of(&row.key), row)).collect();
        rows.sort_by_key(|row| row.0);
        self.edges.join(rows.into_iter(), |edge, row| {
            edge.add_operation((row.key.caller_operation, row.key.callee_operation), row.calls, operations_max);
        });
        for row in &window.flows {
            if let Some(flow) = self.flows.kept.get_mut(&row.key) {
                flow.add(row, self.end_ns, seconds, self.config.visits_per_flow_max);
            }
        }
        let mut names = std::mem::replace(&mut self.names, Names::new(1));
        self.names_dropped += names.learn(&window.names, || self.names_in_use());
        self.names = names;
    }

    /// The end of the last window, Unix ns; zero before the first.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// How complete the last window was, 0..1.
    pub fn completeness(&self) -> f64 {
        self.completeness
    }

    /// A name's text; an id whose text is not known is shown as `#` and sixteen hex digits, no name as an empty text.
    pub fn name(&self, id: NameId) -> String {
        match self.names.get(id) {
            Some(text) => text.to_owned(),
            None if id == NameId::NONE => String::new(),
            None => format!("#{:016x}", id.0),
        }
    }

    /// `caller->callee` as people read it.
    pub fn edge_name(&self, id: EdgeId) -> String {
        format!("{}->{}", self.name(id.caller), self.name(id.callee))
    }

    /// All services, sorted by id.
    pub fn services(&self) -> impl Iterator<Item = (NameId, &Service)> {
        self.services.kept.iter().map(|(id, service)| (*id, service))
    }

    /// One service.
    pub fn service(&self, id: NameId) -> Option<&Service> {
        self.services.kept.get(&id)
    }

    /// All edges, sorted by caller and callee.
    pub fn edges(&self) -> impl Iterator<Item = (EdgeId, &Edge)> {
        self.edges.kept.iter().map(|(id, edge)| (*id, edge))
    }

    /// One edge.
    pub fn edge(&self, id: EdgeId) -> Option<&Edge> {
        self.edges.kept.get(&id)
    }

    /// The callers of `service`, sorted; the outside world is one of them.
    pub(crate) fn inward(&self, service: NameId) -> &[NameId] {
        self.inward.of(service)
    }

    /// Edges out of `service`, sorted.
    pub(crate) fn outward(&self, service: NameId) -> impl Iterator<Item = EdgeId> {
        let first = EdgeId { caller: service, callee: NameId(0) };
        let last = EdgeId { caller: service, callee: NameId(u64::MAX) };
        self.edges.kept.range(first..=last).map(|(id, _)| *id)
    }

    /// Is the edge's sampling biased now, or was it a short while ago?
    pub fn is_biased(&self, id: EdgeId) -> bool {
        let hold_ns = self.config.biased_hold_ms.saturating_mul(1_000_000);
        self.edge(id).is_some_and(|edge| edge.biased_ns > 0 && edge.biased_ns.saturating_add(hold_ns) >= self.end_ns)
    }

    /// All flows, sorted by key.
    pub fn flows(&self) -> impl Iterator<Item = (FlowKey, &Flow)> {
        self.flows.kept.iter().map(|(key, flow)| (*key, flow))
    }

    /// The flows that use `service`, the heaviest user first (ties by key).
    pub fn flows_through(&self, service: NameId) -> Vec<FlowUse> {
        let mut uses: Vec<FlowUse> = self.flows().filter_map(|(key, flow)| flow.uses(key, service)).collect();
        uses.sort_by(|a, b| b.visits_rps.total_cmp(&a.visits_rps).then(a.key.cmp(&b.key)));
        uses
    }

    /// Requests per second at the entries, and how many of them succeed.
    pub fn entry_rps(&self) -> (f64, f64) {
        self.flows().fold((0.0, 0.0), |sum, (_, flow)| (sum.0 + flow.requests_rps(), sum.1 + flow.good_rps()))
    }

    /// Newcomers that the caps turned away, and names dropped, since the start.
    pub fn refused(&self) -> u64 {
        self.services.refused + self.edges.refused + self.flows.refused + self.names_dropped
    }

    fn fade(&mut self, end_ns: u64, width_seconds: f64) {
        self.completeness = 0.0;
        if self.end_ns == 0 {
            self.end_ns = end_ns;
            return;
        }
        let passed_ns = end_ns.saturating_sub(self.end_ns);
        self.end_ns = self.end_ns.max(end_ns);
        if passed_ns == 0 {
            return;
        }
        let seconds = (passed_ns as f64 / 1e9).max(width_seconds);
        let factor = half(passed_ns, self.config.half_life_ms);
        let flow_factor = half(passed_ns, self.config.flow_half_life_ms);
        let oldest_ns = self.end_ns.saturating_sub(self.config.forget_ms.saturating_mul(1_000_000));
        self.services.decay(factor);
        self.services.retain(|service| {
            service.decay(factor, seconds);
            service.last_ns >= oldest_ns
        });
        self.edges.decay(factor);
        self.edges.retain(|edge| {
            edge.decay(factor, seconds);
            edge.last_ns >= oldest_ns
        });
        self.flows.decay(flow_factor);
        self.flows.retain(|flow| {
            flow.decay(flow_factor, seconds);
            flow.last_ns >= oldest_ns
        });
    }

    fn admit(&mut self, window: &Window, rollup: &Rollup, ends: &[NameId]) {
        self.completeness = f64::from(rollup.completeness_permille) / 1000.0;
        let unknown = self.edges.strangers(rollup.edges.keys().copied());
        let edges: Vec<(EdgeId, f64)> = unknown.map(|id| (id, rollup.edges[&id].calls.calls())).collect();
        self.edges.admit(&edges, Edge::default);
        let strangers: BTreeSet<NameId> = self.services.strangers(ends.iter().copied()).collect();
        if !strangers.is_empty() {
            let mut calls: BTreeMap<NameId, Count> = strangers.iter().map(|id| (*id, Count::ZERO)).collect();
            for (id, row) in &rollup.services {
                calls.entry(*id).and_modify(|sum| *sum += row.calls);
            }
            for (id, row) in &rollup.edges {
                for end in [id.caller, id.callee] {
                    calls.entry(end).and_modify(|most| *most = (*most).max(row.calls));
                }
            }
            let services: Vec<(NameId, f64)> = calls.into_iter().map(|(id, calls)| (id, calls.calls())).collect();
            self.services.admit(&services, Service::default);
        }
        let flows: Vec<(FlowKey, f64)> = window.flows.iter().map(|row| (row.key, row.requests.calls())).collect();
        self.flows.admit(&flows, Flow::default);
    }

    fn names_in_use(&self) -> BTreeSet<NameId> {
        let mut used: BTreeSet<NameId> = self.services.kept.keys().chain(self.services.waiting()).copied().collect();
        for (id, edge) in &self.edges.kept {
            used.extend([id.caller, id.callee]);
            for (caller, callee) in edge.operations.keys() {
                used.extend([*caller, *callee]);
            }
        }
        for id in self.edges.waiting() {
            used.extend([id.caller, id.callee]);
        }
        for (key, flow) in &self.flows.kept {
            used.extend([key.entry, key.operation]);
            used.extend(flow.visits_rps().map(|(service, _)| service));
        }
        used
    }
}

/// All services that a window mentions, sorted; the outside world is none.
fn ends(rollup: &Rollup) -> Vec<NameId> {
    let edges = rollup.edges.keys().flat_map(|id| [id.caller, id.callee]);
    let mut ends: Vec<NameId> = rollup.services.keys().copied().chain(edges).filter(|id| id.is_some()).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// What is left of one after `passed_ns` with this half-life.
fn half(passed_ns: u64, half_life_ms: u64) -> f64 {
    libm::exp2(-(passed_ns as f64 / 1e6) / half_life_ms.max(1) as f64)
}
