//! A service as the graph knows it.

use crate::Latency;
use crate::bounded::Weighted;
use model::{Count, Failure, ServiceRow};
use serde::{Deserialize, Serialize};

/// What a service did, decayed and in total.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Decayed sums; divide by `seconds` for rates, or call [`Service::rates`].
    sums: ServiceRates,
    /// Decayed seconds of observation.
    seconds: f64,
    /// How long requests took.
    pub duration: Latency,
    /// The part not spent waiting for callees.
    pub exclusive: Latency,
    /// Requests since the service was first seen.
    pub calls_total: Count,
    /// Failed requests since then.
    pub failed_total: Count,
    /// The end of the window it was first seen in, Unix ns.
    pub first_ns: u64,
    /// The end of the last window with a fact of it or of an edge to it, Unix ns.
    pub last_ns: u64,
}

/// Rates of a service, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceRates {
    /// Requests that ended.
    pub calls_rps: f64,
    /// Of these, requests from outside the fleet.
    pub entries_rps: f64,
    /// Requests that failed in a way that says something about health.
    pub failed_rps: f64,
    /// Requests refused on purpose.
    pub shed_rps: f64,
    /// Requests that went on after their caller had given up.
    pub wasted_rps: f64,
    /// Requests whose sampling weight is unknown.
    pub unweighted_rps: f64,
    /// Mean number in flight (Little's law).
    pub in_flight: f64,
}

impl ServiceRates {
    /// Failed requests as a share, 0..1; zero without requests.
    pub fn error_share(&self) -> f64 {
        share(self.failed_rps, self.calls_rps)
    }

    /// Requests that nobody waited for any more as a share, 0..1.
    pub fn wasted_share(&self) -> f64 {
        share(self.wasted_rps, self.calls_rps)
    }

    fn scaled(&self, factor: f64) -> ServiceRates {
        ServiceRates {
            calls_rps: self.calls_rps * factor,
            entries_rps: self.entries_rps * factor,
            failed_rps: self.failed_rps * factor,
            shed_rps: self.shed_rps * factor,
            wasted_rps: self.wasted_rps * factor,
            unweighted_rps: self.unweighted_rps * factor,
            in_flight: self.in_flight * factor,
        }
    }
}

pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

impl Service {
    /// Its rates over the last half-lives.
    pub fn rates(&self) -> ServiceRates {
        if self.seconds > 0.0 { self.sums.scaled(1.0 / self.seconds) } else { ServiceRates::default() }
    }

    pub(crate) fn decay(&mut self, factor: f64, seconds: f64) {
        self.sums = self.sums.scaled(factor);
        self.seconds = self.seconds * factor + seconds;
        self.duration.decay(factor);
        self.exclusive.decay(factor);
    }

    pub(crate) fn add(&mut self, row: &ServiceRow, end_ns: u64, seconds: f64) {
        self.seen(end_ns, seconds);
        self.sums.calls_rps += row.calls.calls();
        self.sums.entries_rps += row.entries.calls();
        self.sums.failed_rps += row.failed().calls();
        self.sums.shed_rps += row.failures[Failure::Shed.index()].calls();
        self.sums.wasted_rps += row.wasted.calls();
        self.sums.unweighted_rps += row.unweighted.calls();
        self.sums.in_flight += row.busy_us as f64 / 1e6;
        self.duration.add(&row.duration);
        self.exclusive.add(&row.exclusive);
        self.calls_total += row.calls;
        self.failed_total += row.failed();
    }

    pub(crate) fn seen(&mut self, end_ns: u64, seconds: f64) {
        if self.first_ns == 0 {
            self.first_ns = end_ns;
            self.seconds = seconds;
        }
        self.last_ns = end_ns;
    }
}

impl Weighted for Service {
    fn weight(&self) -> f64 {
        self.sums.calls_rps
    }

    fn warm(&self) -> u32 {
        self.duration.warm() ^ self.exclusive.warm()
    }
}
