//! Which requests, entering where, touch which services: only flows say what to shed at the entry when something deep is
//! overloaded.

use crate::bounded::Weighted;
use model::{FlowKey, FlowRow, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A flow (entry × operation × criticality × cohort), decayed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    requests: f64,
    good: f64,
    visits: BTreeMap<NameId, f64>,
    seconds: f64,
    /// The end of the last window with a request of it, Unix ns.
    pub last_ns: u64,
}

/// How a flow uses a service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowUse {
    /// The flow.
    pub key: FlowKey,
    /// Requests of the flow per second, at the entry.
    pub requests_rps: f64,
    /// Requests at the used service per second that the flow causes.
    pub visits_rps: f64,
    /// Visits per request of the flow.
    pub fan_out: f64,
}

impl Flow {
    /// Requests per second at the entry.
    pub fn requests_rps(&self) -> f64 {
        self.per_second(self.requests)
    }

    /// Requests per second that succeeded.
    pub fn good_rps(&self) -> f64 {
        self.per_second(self.good)
    }

    /// Visits per request to `service`.
    pub fn fan_out(&self, service: NameId) -> f64 {
        let visits = self.visits.get(&service).copied().unwrap_or(0.0);
        if self.requests > 0.0 { visits / self.requests } else { 0.0 }
    }

    /// Visits per second to each service, sorted by service.
    pub fn visits_rps(&self) -> impl Iterator<Item = (NameId, f64)> {
        self.visits.iter().map(|(service, visits)| (*service, self.per_second(*visits)))
    }

    pub(crate) fn uses(&self, key: FlowKey, service: NameId) -> Option<FlowUse> {
        let visits_rps = self.per_second(*self.visits.get(&service)?);
        let requests_rps = self.requests_rps();
        Some(FlowUse { key, requests_rps, visits_rps, fan_out: self.fan_out(service) })
    }

    pub(crate) fn decay(&mut self, factor: f64, seconds: f64) {
        self.requests *= factor;
        self.good *= factor;
        self.seconds = self.seconds * factor + seconds;
        self.visits.retain(|_, visits| {
            *visits *= factor;
            *visits >= 1e-4
        });
    }

    pub(crate) fn add(&mut self, row: &FlowRow, end_ns: u64, seconds: f64, visits_max: usize) {
        if self.last_ns == 0 {
            self.seconds = seconds;
        }
        self.last_ns = end_ns;
        self.requests += row.requests.calls();
        self.good += row.good.calls();
        for (service, visits) in &row.visits {
            if self.visits.len() < visits_max || self.visits.contains_key(service) {
                *self.visits.entry(*service).or_insert(0.0) += visits.calls();
            }
        }
    }

    fn per_second(&self, sum: f64) -> f64 {
        if self.seconds > 0.0 { sum / self.seconds } else { 0.0 }
    }
}

impl Weighted for Flow {
    fn weight(&self) -> f64 {
        self.requests
    }

    fn warm(&self) -> u32 {
        0
    }
}
