//! How often each flow's requests come by each service while nothing is wrong.
//!
//! During an incident the live fan-out lies both ways: retries raise it, sheds at the entry lower it. So demand is reckoned
//! with what was seen before; two generations, because an incident is noticed seconds after it began.

use graph::Graph;
use model::{Criticality, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Calm windows from one generation to the next.
const GENERATION_WINDOWS: u32 = 15;

/// A flow without its cohort.
pub(crate) type FlowId = (NameId, NameId, Criticality);

type Visits = BTreeMap<FlowId, BTreeMap<NameId, f64>>;

/// Visits per request, by flow and service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    older: Visits,
    newer: Visits,
    windows: u32,
}

impl Usage {
    /// Takes note of a calm window.
    pub fn learn(&mut self, graph: &Graph) {
        self.windows += 1;
        if self.windows >= GENERATION_WINDOWS || self.newer.is_empty() {
            self.windows = 0;
            self.older = std::mem::replace(&mut self.newer, now(graph));
        }
    }

    /// Visits per request of a flow as they were while nothing was wrong; `None` if the flow was not there then.
    pub(crate) fn of(&self, flow: &FlowId) -> Option<&BTreeMap<NameId, f64>> {
        self.older.get(flow).or_else(|| self.newer.get(flow))
    }
}

/// Visits per request as they are now, cohorts together.
pub(crate) fn now(graph: &Graph) -> Visits {
    let mut sums: BTreeMap<FlowId, (f64, BTreeMap<NameId, f64>)> = BTreeMap::new();
    for (key, flow) in graph.flows() {
        let (requests, visits) = sums.entry((key.entry, key.operation, key.criticality)).or_default();
        *requests += flow.requests_rps();
        for (service, rps) in flow.visits_rps() {
            *visits.entry(service).or_default() += rps;
        }
    }
    let per_request = |(id, (requests, mut visits)): (FlowId, (f64, BTreeMap<NameId, f64>))| {
        visits.values_mut().for_each(|visits| *visits = if requests > 0.0 { *visits / requests } else { 0.0 });
        (id, visits)
    };
    sums.into_iter().map(per_request).collect()
}
