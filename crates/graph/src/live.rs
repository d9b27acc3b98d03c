//! The graph itself: windows in, decayed rates out.

use crate::bounded::Bounded;
use crate::inward::Inward;
use crate::names::Names;
use crate::{Edge, Flow, FlowUse, Service};
use model::{EdgeId, FlowKey, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    pub(crate) config: GraphConfig,
    pub(crate) services: Bounded<NameId, Service>,
    pub(crate) edges: Bounded<EdgeId, Edge>,
    pub(crate) inward: Inward,
    pub(crate) flows: Bounded<FlowKey, Flow>,
    pub(crate) names: Names,
    pub(crate) end_ns: u64,
    pub(crate) completeness: f64,
    /// The share of traces that the reader leaves out.
    pub(crate) left_out: f64,
    pub(crate) names_dropped: u64,
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
            left_out: 0.0,
            names_dropped: 0,
        }
    }

    /// The end of the last window, Unix ns; zero before the first.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// How complete the last window was, 0..1.
    pub fn completeness(&self) -> f64 {
        self.completeness
    }

    /// From now on so many of 1,000 traces are read; the weights of their spans stand for the others.
    pub fn reads(&mut self, kept_permille: u16) {
        self.left_out = 1.0 - f64::from(kept_permille.min(1000)) / 1000.0;
    }

    /// The share of traces that the reader leaves out because it cannot read them all, 0..1. Rates stay what they are, but
    /// fewer observations stand behind them.
    pub fn left_out(&self) -> f64 {
        self.left_out
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
        self.edge(id).is_some_and(|edge| self.is_edge_biased(edge))
    }

    /// The same of an edge that was looked up already.
    pub fn is_edge_biased(&self, edge: &Edge) -> bool {
        let hold_ns = self.config.biased_hold_ms.saturating_mul(1_000_000);
        edge.biased_ns > 0 && edge.biased_ns.saturating_add(hold_ns) >= self.end_ns
    }

    /// How often services and edges came or went since the start.
    pub fn changes(&self) -> u64 {
        self.services.changes + self.edges.changes
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

    pub(crate) fn names_in_use(&self) -> BTreeSet<NameId> {
        let mut used: BTreeSet<NameId> = self.services.kept.keys().chain(self.services.waiting()).copied().collect();
        for (id, edge) in &self.edges.kept {
            used.extend([id.caller, id.callee]);
            used.extend(edge.operations.iter().flat_map(|((caller, callee), _)| [caller, callee]));
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
