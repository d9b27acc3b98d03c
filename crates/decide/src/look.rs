//! Draws the [`Picture`]: from the graph and what was learned, only what lies on the way to what is overloaded.

use crate::usage::{self, FlowId, Usage};
use crate::{EdgeFacts, FlowFacts, Picture, ServiceFacts};
use graph::Graph;
use learn::{Learner, Signal, Subject};
use model::{EdgeKind, NameId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A service whose saturation was observed this recently is saturated now.
const SATURATED_WITHIN_MS: u64 = 5_000;

/// A service of which nothing was heard for this long is not there any more: it was renamed, or stopped. Rates fade more slowly.
const GONE_AFTER_MS: u64 = 10_000;

/// Draws what concerns these services and whoever reaches them.
pub fn look(graph: &Graph, learner: &Learner, usage: &Usage, concerned: &BTreeSet<NameId>) -> Picture {
    let mut near = concerned.clone();
    for service in concerned {
        near.extend(graph.dependants_of(*service));
    }
    near.retain(|service| is_there(graph, *service));
    let end_ms = graph.end_ns() / 1_000_000;
    let mut picture = Picture {
        at_ms: end_ms,
        coverage: coverage(graph),
        left_out: graph.left_out(),
        services_total: graph.services().count() as u32,
        flows: flows(graph, usage, &near),
        edges: Vec::with_capacity(near.iter().map(|id| graph.callers_count(*id)).sum()),
        ..Picture::default()
    };
    // Whoever calls a service nearby is nearby, too: every name is looked up once.
    let names: BTreeMap<NameId, Arc<str>> = near.iter().map(|id| (*id, graph.name(*id).into())).collect();
    let nobody: Arc<str> = "".into();
    let mut named: Vec<(&Arc<str>, &NameId)> = names.iter().map(|(id, name)| (name, id)).collect();
    named.sort_unstable();
    for (name, callee) in named {
        if let Some(service) = graph.service(*callee) {
            let first = picture.edges.len();
            let rates = service.rates();
            let mut facts = ServiceFacts {
                capacity_rps: learner.capacity(*callee),
                offered_rps: rates.entries_rps,
                first_attempts_rps: rates.entries_rps,
                shed_rps: rates.shed_rps,
                inverted: None,
                crowded_share: learner.refusals(*callee).map_or(0.0, |refusals| refusals.share_from(0)),
                queue_delay_ms: learner.queue_delay(*callee).map(|delay| delay.delay_ms),
                saturated: learner.saturated_ms(*callee).is_some_and(|at_ms| at_ms + SATURATED_WITHIN_MS >= end_ms),
                slow: is_slow(learner, *callee),
            };
            let mut is_service = rates.calls_rps > 0.0;
            for id in graph.edges_to(*callee) {
                let Some(edge) = graph.edge(id).filter(|_| names.contains_key(&id.caller) || !id.caller.is_some())
                else {
                    continue;
                };
                let rates = edge.rates();
                is_service |= edge.kind == EdgeKind::Call;
                if id.caller.is_some() {
                    facts.offered_rps += rates.calls_rps;
                    facts.first_attempts_rps += rates.first_attempts_rps;
                }
                picture.edges.push(EdgeFacts {
                    caller: names.get(&id.caller).unwrap_or(&nobody).clone(),
                    callee: name.clone(),
                    kind: edge.kind,
                    first_attempts_rps: rates.first_attempts_rps,
                    retries_rps: rates.retries_rps,
                    timeout_ms: (edge.timeout_ms > 0.0).then_some(edge.timeout_ms),
                    biased: graph.is_edge_biased(edge),
                });
            }
            picture.edges[first..].sort_by(|a, b| a.caller.cmp(&b.caller));
            if is_service {
                picture.services.insert(name.to_string(), facts);
            }
        }
    }
    picture
}

/// Was anything heard of it lately?
fn is_there(graph: &Graph, service: NameId) -> bool {
    let gone_ns = graph.end_ns().saturating_sub(GONE_AFTER_MS * 1_000_000);
    graph.service(service).is_some_and(|service| service.last_ns >= gone_ns)
}

/// Does its own work take longer than the learned limit?
fn is_slow(learner: &Learner, service: NameId) -> bool {
    let own = learner.deviation(Subject::Service(service), Signal::Exclusive);
    own.is_some_and(|own| own.threshold.limit.is_some_and(|limit| own.threshold.value > limit))
}

/// How much of the telemetry is there: the last window's completeness and the share of spans of known weight.
pub fn coverage(graph: &Graph) -> f64 {
    let (mut calls, mut unweighted) = (0.0, 0.0);
    for (_, service) in graph.services() {
        let rates = service.rates();
        calls += rates.calls_rps;
        unweighted += rates.unweighted_rps;
    }
    let known = if calls > 0.0 { (1.0 - unweighted / calls).max(0.0) } else { 1.0 };
    graph.completeness() * known
}

/// All flows, cohorts together, with the visits to services nearby.
fn flows(graph: &Graph, usage: &Usage, near: &BTreeSet<NameId>) -> Vec<FlowFacts> {
    let mut offered: BTreeMap<FlowId, f64> = BTreeMap::new();
    for (key, flow) in graph.flows().filter(|(key, _)| is_there(graph, key.entry)) {
        *offered.entry((key.entry, key.operation, key.criticality)).or_default() += flow.requests_rps();
    }
    let live = usage::now(graph);
    let fact = |(id, offered_rps): (FlowId, f64)| {
        let visits = usage.of(&id).or_else(|| live.get(&id));
        let nearby = visits.into_iter().flatten().filter(|(service, _)| near.contains(service));
        FlowFacts {
            entry: graph.name(id.0),
            operation: graph.name(id.1),
            criticality: id.2,
            offered_rps,
            visits: nearby.map(|(service, visits)| (graph.name(*service), *visits)).collect(),
        }
    };
    offered.into_iter().map(fact).collect()
}
