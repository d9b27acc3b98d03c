//! From the live graph of a running engine to a fleet: less than whole traces say, and at once.

use crate::fleet::{Call, CallKey, Fleet, Service};
use model::{EdgeKind, GraphView, NameId};

/// Requests that the rates are told of.
const MINUTE_S: f64 = 60.0;

/// The fleet as far as the live graph shows it: rates, capacities, the repetitions that happen now and whom requests need.
/// Timeouts, instances and what is optional are not known.
pub fn fleet(graph: &GraphView) -> Fleet {
    let mut fleet = Fleet { seconds: MINUTE_S, entry_rps: graph.offered_rps, ..Fleet::default() };
    let mut name = |text: &str| {
        let id = NameId::of(text);
        fleet.names.entry(id).or_insert_with(|| text.to_owned());
        id
    };
    for one in &graph.services {
        let touches = |(service, _): &(String, f64)| *service == one.name;
        let flows = graph.flows.iter().filter(|flow| flow.entry == one.name || flow.visits_rps.iter().any(touches));
        let needed = flows.map(|flow| flow.offered_rps).sum::<f64>() / graph.offered_rps.max(f64::MIN_POSITIVE);
        let service = Service {
            rps: one.rate_rps,
            instances: 0,
            capacity_rps: one.capacity_rps,
            needed: needed.min(1.0),
            emits: true,
        };
        fleet.services.insert(name(&one.name), service);
    }
    for edge in graph.edges.iter().filter(|edge| edge.kind == EdgeKind::Call && !edge.biased) {
        let (caller, callee) = (name(&edge.caller), name(&edge.callee));
        let first_share = 1.0 / edge.amplification.max(1.0);
        for (operation, answer, rps) in &edge.operations {
            let call = fleet.calls.entry(CallKey { caller, operation: name(operation), callee }).or_default();
            let count = |rps: f64| (rps * MINUTE_S) as u64;
            *call = Call {
                calls: call.calls + count(rps * first_share),
                attempts: call.attempts + count(*rps),
                // Of what happens on average, the next whole number is a lower bound of what a call does at most.
                attempts_max: (edge.amplification - 0.05).ceil().clamp(1.0, 100.0) as u32,
                first_rps: call.first_rps + rps * first_share,
                entry_rps: graph.offered_rps.min(call.entry_rps + rps * first_share),
                ..std::mem::take(call)
            };
            call.answers.push(name(answer));
        }
    }
    fleet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, assess};
    use model::{EdgeView, FlowView, Interval, ServiceView};

    #[test]
    fn retries_that_multiply_now_and_exceed_the_capacity_are_seen_in_the_live_graph() {
        let edge = |caller: &str, callee: &str, amplification: f64, rps: f64| EdgeView {
            caller: caller.into(),
            callee: callee.into(),
            amplification,
            rate_rps: rps,
            operations: vec![("GET /".into(), "GET /".into(), rps)],
            ..EdgeView::default()
        };
        let service = |name: &str, capacity: Option<f64>| ServiceView {
            name: name.into(),
            capacity_rps: capacity.and_then(|rps| Interval::between(rps * 0.9, rps)),
            ..ServiceView::default()
        };
        let graph = GraphView {
            offered_rps: 50.0,
            services: vec![service("web", None), service("cart", None), service("db", Some(120.0))],
            edges: vec![edge("web", "cart", 1.9, 95.0), edge("cart", "db", 2.8, 140.0)],
            flows: vec![FlowView {
                entry: "web".into(),
                offered_rps: 50.0,
                visits_rps: vec![("cart".into(), 95.0), ("db".into(), 140.0)],
                ..FlowView::default()
            }],
            ..GraphView::default()
        };
        let found = assess(&fleet(&graph), "live");
        let kinds: Vec<Kind> = found.risks.iter().map(|risk| risk.kind).collect();
        assert_eq!(kinds, [Kind::MultipliedRetries, Kind::RetriesAboveCapacity], "{found:#?}");
        assert_eq!(found.risks[0].subject, "web->cart->db");
        assert!((found.risks[0].factor - 6.0).abs() < 1e-9);
    }
}
