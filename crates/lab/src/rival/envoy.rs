//! `static`: what a mesh does with its defaults, and nobody has to think.
//!
//! Envoy's circuit breakers (`circuit_breaker.proto`: 1024 requests at once per caller and cluster; retry budget 20 % of the
//! active requests, at least 3) and its outlier ejection (`outlier_detection.proto`: 5 failures in a row, or a success rate
//! below the mean − 1.9 σ of at least 5 hosts with 100 requests in an interval of 10 s; out for 30 s × the number of times,
//! at most 300 s; at most 10 % of a cluster, but at least one host), with the panic threshold of 50 %: where fewer hosts are
//! healthy, all of them are used.

use super::fleet::{Fleet, caller};
use super::local::{Attempt, Heard, Local, Outcome};

const REQUESTS_MAX: u32 = 1024;
const RETRY_SHARE: f64 = 0.2;
const RETRIES_MIN: f64 = 3.0;
const FAILURES_IN_A_ROW: u32 = 5;
const INTERVAL_NS: u64 = 10_000_000_000;
const EJECTION_NS: u64 = 30_000_000_000;
const EJECTION_MAX_NS: u64 = 300_000_000_000;
const EJECTED_MAX_SHARE: f64 = 0.1;
const PANIC_SHARE: f64 = 0.5;
const HOSTS_MIN: usize = 5;
const REQUESTS_MIN: u32 = 100;
const DEVIATIONS: f64 = 1.9;

/// The policy.
pub(crate) struct Envoy {
    fleet: Fleet,
    /// By caller and callee's service.
    clusters: Vec<Cluster>,
    /// By caller and callee's instance.
    hosts: Vec<Host>,
}

#[derive(Clone, Copy, Default)]
struct Cluster {
    active: u32,
    retries: u32,
}

#[derive(Clone, Copy, Default)]
struct Host {
    failures_in_a_row: u32,
    good: u32,
    all: u32,
    ejected_until_ns: u64,
    times: u64,
}

impl Envoy {
    pub(crate) fn new(fleet: Fleet) -> Envoy {
        let clusters = vec![Cluster::default(); fleet.callers() * fleet.services];
        let hosts = vec![Host::default(); fleet.callers() * fleet.instances()];
        Envoy { fleet, clusters, hosts }
    }

    fn cluster(&mut self, from: Option<u32>, edge: u32) -> &mut Cluster {
        &mut self.clusters[caller(from) * self.fleet.services + self.fleet.callee_of[edge as usize]]
    }

    fn host(&mut self, from: Option<u32>, callee: u32) -> &mut Host {
        &mut self.hosts[caller(from) * self.fleet.instances() + callee as usize]
    }

    /// The instances of a service, how many there are, and how many of them `from` has ejected.
    fn ejected(&self, from: usize, service: usize, now_ns: u64) -> (usize, usize) {
        let (mut all, mut ejected) = (0, 0);
        for (place, of) in self.fleet.service_of.iter().enumerate().filter(|(_, of)| **of == service) {
            debug_assert_eq!(*of, service);
            all += 1;
            ejected += usize::from(self.hosts[from * self.fleet.instances() + place].ejected_until_ns > now_ns);
        }
        (all, ejected)
    }

    fn eject(&mut self, from: usize, place: usize, now_ns: u64) {
        let (all, ejected) = self.ejected(from, self.fleet.service_of[place], now_ns);
        let room = ejected == 0 || (ejected + 1) as f64 <= all as f64 * EJECTED_MAX_SHARE;
        let host = &mut self.hosts[from * self.fleet.instances() + place];
        if room && host.ejected_until_ns <= now_ns {
            host.times += 1;
            host.ejected_until_ns = now_ns + (EJECTION_NS * host.times).min(EJECTION_MAX_NS);
            host.failures_in_a_row = 0;
        }
    }

    /// The end of an interval: outliers by success rate, and a pardon for those who were well.
    fn interval(&mut self, now_ns: u64) {
        for from in 0..self.fleet.callers() {
            for service in 0..self.fleet.services {
                self.judge(from, service, now_ns);
            }
        }
        for host in &mut self.hosts {
            if host.ejected_until_ns <= now_ns {
                host.times = host.times.saturating_sub(1);
            }
            (host.good, host.all) = (0, 0);
        }
    }

    fn judge(&mut self, from: usize, service: usize, now_ns: u64) {
        let first = from * self.fleet.instances();
        let rate = |host: &Host| (host.all >= REQUESTS_MIN).then(|| f64::from(host.good) / f64::from(host.all));
        let places = || (0..self.fleet.instances()).filter(|place| self.fleet.service_of[*place] == service);
        let rates = || places().filter_map(|place| rate(&self.hosts[first + place]));
        let count = rates().count();
        if count < HOSTS_MIN {
            return;
        }
        let mean = rates().sum::<f64>() / count as f64;
        let variance = rates().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>() / count as f64;
        let least = mean - DEVIATIONS * variance.sqrt();
        for place in 0..self.fleet.instances() {
            let host = self.hosts[first + place];
            if self.fleet.service_of[place] == service && rate(&host).is_some_and(|rate| rate < least) {
                self.eject(from, place, now_ns);
            }
        }
    }
}

impl Local for Envoy {
    fn may_send(&mut self, attempt: &Attempt) -> bool {
        let cluster = self.cluster(attempt.caller, attempt.edge);
        if cluster.active >= REQUESTS_MAX {
            cluster.retries -= u32::from(attempt.number > 1 && attempt.caller.is_some());
            return false;
        }
        cluster.active += 1;
        true
    }

    fn avoids(&self, from: Option<u32>, callee: u32, now_ns: u64) -> bool {
        let from = caller(from);
        if self.hosts[from * self.fleet.instances() + callee as usize].ejected_until_ns <= now_ns {
            return false;
        }
        let (all, ejected) = self.ejected(from, self.fleet.service_of[callee as usize], now_ns);
        (all - ejected) as f64 >= all as f64 * PANIC_SHARE
    }

    fn may_retry(&mut self, edge: u32, from: u32, _now_ns: u64) -> bool {
        let cluster = self.cluster(Some(from), edge);
        let allowed = f64::from(cluster.retries) < (f64::from(cluster.active) * RETRY_SHARE).max(RETRIES_MIN);
        cluster.retries += u32::from(allowed);
        allowed
    }

    fn heard(&mut self, heard: &Heard) {
        let Attempt { caller: from, callee, edge, number, now_ns, .. } = heard.attempt;
        let cluster = self.cluster(from, edge);
        cluster.active -= 1;
        // the gateway's clients repeat by themselves; that is not its retry
        cluster.retries -= u32::from(number > 1 && from.is_some());
        if heard.outcome == Outcome::Cancelled {
            return;
        }
        let host = self.host(from, callee);
        host.all += 1;
        if heard.outcome == Outcome::Good {
            host.good += 1;
            host.failures_in_a_row = 0;
            return;
        }
        host.failures_in_a_row += 1;
        if host.failures_in_a_row >= FAILURES_IN_A_ROW {
            self.eject(caller(from), callee as usize, now_ns);
        }
    }

    fn second(&mut self, now_ns: u64, _delays_ns: &[u64]) {
        if now_ns.is_multiple_of(INTERVAL_NS) {
            self.interval(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::local::testing::{attempt, heard};

    fn ask(envoy: &mut Envoy, callee: u32, now_ns: u64, outcome: Outcome) {
        let attempt = Attempt { callee, ..attempt(now_ns) };
        assert!(envoy.may_send(&attempt));
        envoy.heard(&heard(attempt, outcome, None));
    }

    #[test]
    fn five_failures_in_a_row_eject_one_host_of_a_small_cluster_and_never_a_second() {
        let mut envoy = Envoy::new(Fleet::pair(3));
        (0..4).for_each(|_| ask(&mut envoy, 1, 0, Outcome::Failed));
        ask(&mut envoy, 1, 0, Outcome::Good);
        (0..4).for_each(|_| ask(&mut envoy, 1, 0, Outcome::Failed));
        assert!(!envoy.avoids(Some(0), 1, 0), "a success between starts the count anew");
        ask(&mut envoy, 1, 0, Outcome::Failed);
        assert!(envoy.avoids(Some(0), 1, 0));
        (0..20).for_each(|_| ask(&mut envoy, 2, 0, Outcome::Failed));
        assert!(!envoy.avoids(Some(0), 2, 0), "10 % of three hosts is one host");
        assert!(envoy.avoids(Some(0), 1, EJECTION_NS - 1));
        assert!(!envoy.avoids(Some(0), 1, EJECTION_NS), "it is back after 30 s");
        (0..5).for_each(|_| ask(&mut envoy, 1, EJECTION_NS, Outcome::Failed));
        assert!(envoy.avoids(Some(0), 1, EJECTION_NS * 3 - 1), "the second time lasts twice as long");
    }

    #[test]
    fn where_less_than_half_is_healthy_all_hosts_are_used() {
        let mut envoy = Envoy::new(Fleet::pair(1));
        (0..9).for_each(|_| ask(&mut envoy, 1, 0, Outcome::TimedOut));
        assert!(!envoy.avoids(Some(0), 1, 0), "the only host stays in use");
    }

    #[test]
    fn an_outlier_by_success_rate_is_ejected_at_the_end_of_the_interval() {
        let mut envoy = Envoy::new(Fleet::pair(6));
        for callee in 1..=6 {
            for number in 0..200 {
                let bad = callee == 4 && number % 2 == 0;
                ask(&mut envoy, callee, 0, if bad { Outcome::Failed } else { Outcome::Good });
            }
        }
        envoy.second(INTERVAL_NS, &[]);
        let out: Vec<u32> = (1..=6).filter(|callee| envoy.avoids(Some(0), *callee, INTERVAL_NS)).collect();
        assert_eq!(out, [4]);
    }

    #[test]
    fn retries_are_a_fifth_of_what_is_under_way_and_never_less_than_three() {
        let mut envoy = Envoy::new(Fleet::pair(1));
        assert_eq!((0..9).filter(|_| envoy.may_retry(0, 0, 0)).count(), 3);
        let mut envoy = Envoy::new(Fleet::pair(1));
        assert_eq!((0..2000).filter(|_| envoy.may_send(&attempt(0))).count(), 1024, "the circuit breaker's limit");
        assert_eq!((0..2000).filter(|_| envoy.may_retry(0, 0, 0)).count(), 205);
    }
}
