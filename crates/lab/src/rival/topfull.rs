//! `topfull`: rate control at the entry APIs by the overloaded services that they use (Park et al., "TopFull: An Adaptive
//! Top-Down Overload Control for SLO-Oriented Microservices", SIGCOMM 2024).
//!
//! Each second every API that is limited or must be is moved: those that reach an overloaded service are lowered, the least
//! important first; those that reach none are raised, the most important first among those that share a service. The paper
//! learns its step by reinforcement; this is its multiplicative control with the step taken from how late the service is:
//! down by `clamp(20 ms / delay, 0.3, 0.95)`, up by 15 % and five requests. A service is overloaded when its queue's head waits longer than
//! 20 ms. A limit that has been twice the demand for five seconds is lifted.

use super::fleet::Fleet;
use super::local::{Attempt, Local};

const DELAY_MAX_NS: f64 = 20e6;
const DOWN_MOST: f64 = 0.3;
const DOWN_LEAST: f64 = 0.95;
const UP: f64 = 1.15;
const UP_RPS: f64 = 5.0;
/// No API is throttled below this many requests a second.
const RATE_MIN: f64 = 1.0;
const CALM_SECONDS: u32 = 5;
/// How many requests may come at once, in seconds of the rate.
const BURST_S: f64 = 0.2;

/// The policy.
pub(crate) struct TopFull {
    fleet: Fleet,
    apis: Vec<Api>,
    /// The API of each edge, for those of clients.
    api_of: Vec<Option<usize>>,
    /// How late each service was in the last second.
    late_ns: Vec<f64>,
}

#[derive(Clone, Copy, Default)]
struct Api {
    /// Requests a second; none is no limit.
    rate: Option<f64>,
    tokens: f64,
    filled_ns: u64,
    wanted: f64,
    admitted: f64,
    calm: u32,
}

impl TopFull {
    pub(crate) fn new(fleet: Fleet) -> TopFull {
        let mut api_of = vec![None; fleet.callee_of.len()];
        for (place, entry) in fleet.entries.iter().enumerate() {
            api_of[entry.edge as usize] = Some(place);
        }
        let apis = vec![Api::default(); fleet.entries.len()];
        let late_ns = vec![0.0; fleet.services];
        TopFull { fleet, apis, api_of, late_ns }
    }

    /// How late the latest service is that an API reaches, in multiples of what is allowed.
    fn late(&self, api: usize) -> f64 {
        let reaches = &self.fleet.entries[api].reaches;
        let late = self.late_ns.iter().zip(reaches).filter(|(_, reaches)| **reaches);
        late.map(|(late_ns, _)| late_ns / DELAY_MAX_NS).fold(0.0, f64::max)
    }

    fn control(&mut self) {
        for service in 0..self.fleet.services {
            if self.late_ns[service] > DELAY_MAX_NS {
                self.lower(service);
            }
        }
        for api in 0..self.apis.len() {
            if self.late(api) <= 1.0 && !self.waits_for_better(api) {
                self.apis[api].raise();
            }
            (self.apis[api].wanted, self.apis[api].admitted) = (0.0, 0.0);
        }
    }

    /// Lowers the least important of the APIs that reach `service` and still let something in.
    fn lower(&mut self, service: usize) {
        let candidates = (0..self.apis.len())
            .filter(|api| self.fleet.entries[*api].reaches[service] && self.apis[*api].admitted > RATE_MIN);
        let Some(class) = candidates.clone().map(|api| self.fleet.entries[api].class).min() else { return };
        let factor = (DELAY_MAX_NS / self.late_ns[service]).clamp(DOWN_MOST, DOWN_LEAST);
        let chosen: Vec<usize> = candidates.filter(|api| self.fleet.entries[*api].class == class).collect();
        for api in chosen {
            let api = &mut self.apis[api];
            let now = api.rate.map_or(api.admitted, |rate| rate.min(api.admitted));
            api.rate = Some((now * factor).max(RATE_MIN));
            api.calm = 0;
        }
    }

    /// Is a more important API that shares a service with this one still limited?
    fn waits_for_better(&self, api: usize) -> bool {
        let own = &self.fleet.entries[api];
        self.fleet.entries.iter().zip(&self.apis).any(|(entry, other)| {
            let shares = entry.reaches.iter().zip(&own.reaches).any(|(theirs, ours)| *theirs && *ours);
            entry.class > own.class && shares && other.rate.is_some_and(|rate| other.wanted > rate)
        })
    }
}

impl Api {
    fn raise(&mut self) {
        let Some(rate) = self.rate else { return };
        let raised = rate * UP + UP_RPS;
        self.calm = if raised > 2.0 * self.wanted { self.calm + 1 } else { 0 };
        self.rate = (self.calm < CALM_SECONDS).then_some(raised);
    }

    fn takes(&mut self, now_ns: u64) -> bool {
        self.wanted += 1.0;
        if let Some(rate) = self.rate {
            let gone_s = (now_ns - self.filled_ns) as f64 / 1e9;
            self.filled_ns = now_ns;
            self.tokens = (self.tokens + gone_s * rate).min((rate * BURST_S).max(1.0));
            if self.tokens < 1.0 {
                return false;
            }
            self.tokens -= 1.0;
        }
        self.admitted += 1.0;
        true
    }
}

impl Local for TopFull {
    fn may_send(&mut self, attempt: &Attempt) -> bool {
        let api = if attempt.caller.is_none() { self.api_of[attempt.edge as usize] } else { None };
        api.is_none_or(|api| self.apis[api].takes(attempt.now_ns))
    }

    fn second(&mut self, _now_ns: u64, delays_ns: &[u64]) {
        self.late_ns.fill(0.0);
        for (delay_ns, service) in delays_ns.iter().zip(&self.fleet.service_of) {
            self.late_ns[*service] = self.late_ns[*service].max(*delay_ns as f64);
        }
        self.control();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::fleet::Entry;
    use crate::rival::local::testing::attempt;

    /// Two APIs, of which only the second, less important one and a third, important one reach service 1.
    fn fleet() -> Fleet {
        let entry = |edge, class, deep| Entry { edge, class, reaches: vec![true, deep] };
        let entries = vec![entry(0, 3, false), entry(1, 0, true), entry(2, 2, true)];
        Fleet { services: 2, service_of: vec![0, 1], callee_of: vec![0, 0, 0], work_ns: vec![1e6; 2], entries }
    }

    /// A second with 100 requests of each API, after which service 1 is `late_ms` late; gives what was let in.
    fn second(topfull: &mut TopFull, number: u64, late_ms: u64) -> [u32; 3] {
        let mut admitted = [0; 3];
        for request in 0..100 {
            for edge in 0..3u32 {
                let now_ns = number * 1_000_000_000 + request * 10_000_000;
                let attempt = Attempt { caller: None, edge, ..attempt(now_ns) };
                admitted[edge as usize] += u32::from(topfull.may_send(&attempt));
            }
        }
        topfull.second((number + 1) * 1_000_000_000, &[0, late_ms * 1_000_000]);
        admitted
    }

    #[test]
    fn only_apis_that_reach_the_overload_are_throttled_and_the_least_important_first() {
        let mut topfull = TopFull::new(fleet());
        let seen: Vec<[u32; 3]> = (0..4).map(|number| second(&mut topfull, number, 1000)).collect();
        assert_eq!(seen[0], [100, 100, 100]);
        assert!(seen[1][1].abs_diff(30) <= 8 && seen[2][1].abs_diff(9) <= 5, "{seen:?}");
        assert!(seen.iter().all(|admitted| admitted[0] == 100 && admitted[2] == 100), "{seen:?}");
        let later: Vec<[u32; 3]> = (4..20).map(|number| second(&mut topfull, number, 1000)).collect();
        assert!(later[15][2] < 30 && later[15][0] == 100, "then the more important one, never the innocent: {later:?}");
    }

    #[test]
    fn limits_rise_again_when_the_overload_is_over_and_are_lifted_in_the_end() {
        let mut topfull = TopFull::new(fleet());
        (0..3).for_each(|number| _ = second(&mut topfull, number, 1000));
        let rising: Vec<u32> = (3..80).map(|number| second(&mut topfull, number, 0)[1]).collect();
        assert!(rising[1] < 30 && rising[76] == 100, "{rising:?}");
        assert!(topfull.apis.iter().all(|api| api.rate.is_none()));
    }
}
