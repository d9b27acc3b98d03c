//! The graph as people see it, without judgement: whoever has learned what is normal fills in the thresholds.

use crate::Graph;
use model::{CountedBy, Criticality, EdgeView, FlowView, GraphView, NameId, ServiceView, Threshold};
use std::collections::BTreeMap;

impl Graph {
    /// All services and edges, sorted by name. Thresholds carry the value only; capacity, queue delay and coverage are
    /// left to fill in (coverage is set to the last window's completeness).
    pub fn view(&self) -> GraphView {
        let mut services: Vec<ServiceView> = self
            .services()
            .map(|(id, service)| {
                let rates = service.rates();
                ServiceView {
                    name: self.name(id),
                    rate_rps: rates.calls_rps,
                    error_share: rates.error_share(),
                    p50_ms: service.duration.quantile_ms(0.5),
                    p99_ms: service.duration.quantile_ms(0.99),
                    ..ServiceView::default()
                }
            })
            .collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        let mut edges: Vec<EdgeView> = self.edges().map(|(id, edge)| self.edge_view(id, edge)).collect();
        edges.sort_by(|a, b| (&a.caller, &a.callee).cmp(&(&b.caller, &b.callee)));
        let (offered_rps, goodput_rps) = self.entry_rps();
        GraphView {
            at_ms: self.end_ns() / 1_000_000,
            goodput_rps,
            offered_rps,
            coverage: self.completeness(),
            services,
            edges,
            flows: self.flow_views(),
        }
    }

    /// Flows with their cohorts added up.
    fn flow_views(&self) -> Vec<FlowView> {
        #[derive(Default)]
        struct Sum {
            offered_rps: f64,
            good_rps: f64,
            visits_rps: BTreeMap<NameId, f64>,
        }
        let mut sums: BTreeMap<(NameId, NameId, Criticality), Sum> = BTreeMap::new();
        for (key, flow) in self.flows() {
            let sum = sums.entry((key.entry, key.operation, key.criticality)).or_default();
            sum.offered_rps += flow.requests_rps();
            sum.good_rps += flow.good_rps();
            for (service, rps) in flow.visits_rps() {
                *sum.visits_rps.entry(service).or_default() += rps;
            }
        }
        let view = |((entry, operation, criticality), sum): (_, Sum)| {
            let mut visits_rps: Vec<(String, f64)> =
                sum.visits_rps.into_iter().map(|(service, rps)| (self.name(service), rps)).collect();
            visits_rps.sort_by(|a, b| a.0.cmp(&b.0));
            let Sum { offered_rps, good_rps, .. } = sum;
            let (entry, operation) = (self.name(entry), self.name(operation));
            FlowView { entry, operation, criticality, offered_rps, good_rps, visits_rps }
        };
        let mut flows: Vec<FlowView> = sums.into_iter().map(view).collect();
        flows.sort_by(|a, b| (&a.entry, &a.operation, a.criticality).cmp(&(&b.entry, &b.operation, b.criticality)));
        flows
    }

    fn edge_view(&self, id: model::EdgeId, edge: &crate::Edge) -> EdgeView {
        let rates = edge.rates();
        let mut operations: Vec<(String, String, f64)> = edge
            .operations
            .iter()
            .map(|((from, to), operation)| (self.name(from), self.name(to), edge.operation_rps(operation)))
            .collect();
        operations.sort_by(|a, b| b.2.total_cmp(&a.2).then((&a.0, &a.1).cmp(&(&b.0, &b.1))));
        EdgeView {
            caller: self.name(id.caller),
            callee: self.name(id.callee),
            kind: edge.kind,
            rate_rps: rates.calls_rps,
            first_attempts_rps: rates.first_attempts_rps,
            amplification: rates.amplification(),
            errors: Threshold { value: rates.error_share(), ..Threshold::default() },
            p50_ms: edge.client.quantile_ms(0.5),
            p99_ms: Threshold { value: edge.client.quantile_ms(0.99), ..Threshold::default() },
            biased: self.is_biased(id),
            counted_by: CountedBy::Spans,
            witness: None,
            ahead_ms: edge.ahead_ms,
            behind_ms: edge.behind_ms,
            untaken_share: edge.untaken_share(),
            operations,
            calls_total: edge.calls_total.0 / 1024,
            failed_total: edge.failed_total.0 / 1024,
        }
    }
}
