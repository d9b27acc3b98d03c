//! What the planner is told of the fleet: the few facts of graph and baselines that a decision rests on, by name.
//!
//! Built anew for each window in which something is wrong or in force; never kept.

use model::{Criticality, EdgeKind, Interval, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Requests enter at a service where so many times as many enter as others send there.
const CLEARLY: f64 = 1.5;

/// The fleet, as far as a decision needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The end of the window, Unix milliseconds.
    pub at_ms: u64,
    /// How much of the telemetry is complete, paired and of known weight, 0..1.
    pub coverage: f64,
    /// The share of traces that the reader leaves out, others standing for them, 0..1.
    pub left_out: f64,
    /// How many services the graph knows.
    pub services_total: u32,
    /// Services by name: at least those on the way to what is overloaded.
    pub services: BTreeMap<String, ServiceFacts>,
    /// Edges between them, all operations together. Invariant: sorted by callee, then caller, each pair once.
    pub edges: Vec<EdgeFacts>,
    /// What admission sheds at the entries now for the sake of each overloaded service.
    pub admission: BTreeMap<String, Setting>,
    /// Entries of which admission commands the whole now, not single operations.
    pub whole_entries: BTreeSet<String>,
    /// Flows at the entries.
    pub flows: Vec<FlowFacts>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceFacts {
    /// What it can serve, requests per second, where saturation was observed.
    pub capacity_rps: Option<Interval>,
    /// Requests that arrive, retries included, per second.
    pub offered_rps: f64,
    /// First attempts that arrive, per second.
    pub first_attempts_rps: f64,
    /// Requests that it refuses on purpose, per second.
    pub shed_rps: f64,
    /// The class of which most is refused for lower ones.
    pub inverted: Option<Inverted>,
    /// The share of all requests that its guards refuse, 0..1.
    pub crowded_share: f64,
    /// The delay before work starts, milliseconds.
    pub queue_delay_ms: Option<Interval>,
    /// It is at its limit now.
    pub saturated: bool,
    /// Its own work takes longer than it normally does.
    pub slow: bool,
}

/// A class that is refused, at a service or at those that wait for it, while the service lets lower ones in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inverted {
    /// The class.
    pub class: Criticality,
    /// Requests per second that change places.
    pub rps: f64,
}

/// An edge, all operations together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeFacts {
    /// Who calls.
    pub caller: Arc<str>,
    /// Who is called.
    pub callee: Arc<str>,
    /// How the edge was seen.
    pub kind: EdgeKind,
    /// First attempts per second.
    pub first_attempts_rps: f64,
    /// Retries per second.
    pub retries_rps: f64,
    /// The client's timeout, milliseconds, where it is known.
    pub timeout_ms: Option<f64>,
    /// Sampling that cannot be reconciled: no evidence from here.
    pub biased: bool,
}

/// Requests of one entry operation and criticality, all cohorts together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowFacts {
    /// The service at which they enter.
    pub entry: String,
    /// The operation.
    pub operation: String,
    /// Their criticality.
    pub criticality: Criticality,
    /// Requests per second, those that were shed included.
    pub offered_rps: f64,
    /// Visits per admitted request, by service, as while healthy (retries not counted).
    pub visits: BTreeMap<String, f64>,
}

impl Picture {
    /// The services from which `service` is reached, itself not included, with their distance in edges.
    pub fn callers_of(&self, service: &str) -> BTreeMap<String, u32> {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::from([(service, 0)]);
        let mut rim = vec![service];
        for distance in 1.. {
            let mut next = Vec::new();
            for edge in rim.iter().flat_map(|name| self.edges_into(name)) {
                if !seen.contains_key(&*edge.caller) {
                    seen.insert(&edge.caller, distance);
                    next.push(&*edge.caller);
                }
            }
            if next.is_empty() {
                break;
            }
            rim = next;
        }
        seen.remove(service);
        seen.into_iter().map(|(name, distance)| (name.to_owned(), distance)).collect()
    }

    /// Edges into `service` from services of the fleet, sorted by caller.
    pub fn edges_into(&self, service: &str) -> impl Iterator<Item = &EdgeFacts> {
        let first = self.edges.partition_point(|edge| &*edge.callee < service);
        let length = self.edges[first..].partition_point(|edge| &*edge.callee == service);
        self.edges[first..first + length].iter().filter(|edge| !edge.caller.is_empty())
    }

    /// The edge from `caller` to `callee`.
    pub fn edge(&self, caller: &str, callee: &str) -> Option<&EdgeFacts> {
        self.edges_into(callee).find(|edge| &*edge.caller == caller)
    }

    /// The shortest timeout with which `service` is called, milliseconds.
    pub fn timeout_ms(&self, service: &str) -> Option<f64> {
        let known = self.edges_into(service).filter_map(|edge| edge.timeout_ms).filter(|timeout| *timeout > 0.0);
        known.fold(None, |least: Option<f64>, timeout| Some(least.map_or(timeout, |other| other.min(timeout))))
    }

    /// Requests per second that enter at `entry` (one operation of it, or all), by criticality, lowest first.
    pub fn entry_mix(&self, entry: &str, operation: Option<&str>) -> [f64; model::LEVELS] {
        let mut mix = [0.0; model::LEVELS];
        for flow in self.flows.iter().filter(|flow| flow.entry == entry) {
            if operation.is_none_or(|name| name == flow.operation) {
                mix[flow.criticality.index()] += flow.offered_rps;
            }
        }
        mix
    }

    /// Do requests enter the fleet at `service`? Where as many are first attempts of other services, what seems to enter is
    /// what has lost its way in the telemetry (a request whose caller's half comes much later is counted as both), and refusing
    /// it would drop work that others have paid for.
    pub fn is_entry(&self, service: &str) -> bool {
        let inside_rps: f64 = self.edges_into(service).map(|edge| edge.first_attempts_rps).sum();
        self.entry_mix(service, None).iter().sum::<f64>() >= CLEARLY * inside_rps
    }

    /// All requests per second that enter.
    pub fn entry_offered_rps(&self) -> f64 {
        self.flows.iter().map(|flow| flow.offered_rps).sum()
    }

    /// First-attempt demand on `service`, requests per second: what the entries offer times how often each request comes
    /// by; where no flow says so, the first attempts that were seen.
    pub fn demand_rps(&self, service: &str) -> f64 {
        let by_flows: f64 = self.flows.iter().map(|flow| flow.demand_on(service)).sum();
        if by_flows > 0.0 { by_flows } else { self.services.get(service).map_or(0.0, |facts| facts.first_attempts_rps) }
    }
}

impl FlowFacts {
    /// What this flow asks of `service`, requests per second.
    pub fn demand_on(&self, service: &str) -> f64 {
        self.offered_rps * self.visits.get(service).copied().unwrap_or(0.0)
    }
}
