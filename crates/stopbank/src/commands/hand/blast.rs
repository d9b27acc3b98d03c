//! Who is hit by a refusal: the flows of the live graph that use the target and are worth less than the boundary.

use model::{Criticality, FlowView, GraphView, Target};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One flow that uses the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Use {
    /// Where it enters the fleet.
    pub(super) entry: String,
    /// As what.
    pub(super) operation: String,
    pub(super) criticality: Criticality,
    /// Requests per second at the entry.
    pub(super) offered_rps: f64,
    /// Requests per second at the target.
    pub(super) visits_rps: f64,
    /// Is it refused?
    pub(super) shed: bool,
}

/// What an admission level would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Blast {
    /// Every flow that uses the target, the most important first.
    pub(super) flows: Vec<Use>,
    /// Requests per second at the target.
    pub(super) target_rps: f64,
    /// How many of them are refused.
    pub(super) shed_rps: f64,
    /// Requests per second that enter the fleet.
    pub(super) entry_rps: f64,
    /// How many of them are hit, at most.
    pub(super) entry_hit_rps: f64,
    /// Requests per second that others are spared, at most, by service.
    pub(super) spared_rps: Vec<(String, f64)>,
}

/// Reckons it. Inside the fleet flows are known by service, not by operation: there an operation's share is an upper bound.
pub(super) fn blast(graph: &GraphView, target: &Target, below: Criticality) -> Blast {
    let mut blast = Blast { entry_rps: graph.flows.iter().map(|flow| flow.offered_rps).sum(), ..Blast::default() };
    let behind = behind(graph, &target.service);
    let mut spared: BTreeMap<&str, f64> = BTreeMap::new();
    for flow in &graph.flows {
        let Some(visits_rps) = visits(flow, target) else { continue };
        let shed = flow.criticality < below;
        blast.target_rps += visits_rps;
        if shed {
            blast.shed_rps += visits_rps;
            blast.entry_hit_rps += visits_rps.min(flow.offered_rps);
            for (service, rps) in flow.visits_rps.iter().filter(|(service, _)| behind.contains(service.as_str())) {
                *spared.entry(service).or_default() += rps;
            }
        }
        let FlowView { entry, operation, criticality, offered_rps, .. } = flow.clone();
        blast.flows.push(Use { entry, operation, criticality, offered_rps, visits_rps, shed });
    }
    blast.flows.sort_by(|a, b| b.criticality.cmp(&a.criticality).then(b.visits_rps.total_cmp(&a.visits_rps)));
    blast.spared_rps = spared.into_iter().map(|(service, rps)| (service.to_owned(), rps)).collect();
    blast.spared_rps.sort_by(|a, b| b.1.total_cmp(&a.1));
    blast
}

/// The flow's requests per second at the target; `None` if it does not use it.
fn visits(flow: &FlowView, target: &Target) -> Option<f64> {
    if flow.entry == target.service {
        let is_meant = target.operation.as_ref().is_none_or(|operation| *operation == flow.operation);
        return is_meant.then_some(flow.offered_rps);
    }
    flow.visits_rps.iter().find(|(service, _)| *service == target.service).map(|(_, rps)| *rps)
}

/// Services that the target reaches.
fn behind<'a>(graph: &'a GraphView, service: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![service]);
    while let Some(caller) = open.pop() {
        for edge in graph.edges.iter().filter(|edge| edge.caller == caller) {
            if edge.callee != service && found.insert(edge.callee.as_str()) {
                open.push(&edge.callee);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EdgeView;

    fn flow(operation: &str, criticality: Criticality, rps: f64, visits: &[(&str, f64)]) -> FlowView {
        FlowView {
            entry: "web".into(),
            operation: operation.into(),
            criticality,
            offered_rps: rps,
            good_rps: rps,
            visits_rps: visits.iter().map(|(name, rps)| ((*name).to_owned(), *rps)).collect(),
        }
    }

    fn graph() -> GraphView {
        let edge = |caller: &str, callee: &str| EdgeView {
            caller: caller.into(),
            callee: callee.into(),
            ..EdgeView::default()
        };
        GraphView {
            flows: vec![
                flow("/buy", Criticality::CriticalPlus, 10.0, &[("web", 10.0), ("cart", 10.0), ("db", 20.0)]),
                flow("/feed", Criticality::Sheddable, 30.0, &[("web", 30.0), ("cart", 15.0), ("db", 15.0)]),
                flow("/ads", Criticality::Sheddable, 5.0, &[("web", 5.0), ("ads", 5.0)]),
            ],
            edges: vec![edge("web", "cart"), edge("web", "ads"), edge("cart", "db")],
            ..GraphView::default()
        }
    }

    #[test]
    fn at_an_entry_everything_below_the_class_is_hit_and_all_behind_it_is_spared() {
        let blast = blast(&graph(), &Target::service("web"), Criticality::Critical);
        assert_eq!((blast.target_rps, blast.shed_rps, blast.entry_rps, blast.entry_hit_rps), (45.0, 35.0, 45.0, 35.0));
        assert_eq!(blast.spared_rps, [("cart".into(), 15.0), ("db".into(), 15.0), ("ads".into(), 5.0)]);
        assert_eq!(blast.flows[0].operation, "/buy");
        assert!(!blast.flows[0].shed && blast.flows[1].shed);
    }

    #[test]
    fn one_operation_hits_its_own_flow_only_and_inside_only_those_who_come_by() {
        let feed = blast(&graph(), &Target::operation("web", "/feed"), Criticality::CriticalPlus);
        assert_eq!((feed.target_rps, feed.shed_rps), (30.0, 30.0));
        let cart = blast(&graph(), &Target::service("cart"), Criticality::Critical);
        assert_eq!((cart.target_rps, cart.shed_rps, cart.entry_hit_rps), (25.0, 15.0, 15.0));
        assert_eq!(cart.spared_rps, [("db".into(), 15.0)]);
    }
}
