//! What guards admit and refuse, by class: the only witness of who is refused deep inside the fleet.

use crate::CapacityConfig;
use model::{GuardReport, LEVELS, NameId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The weight of the newest second.
const WEIGHT: f64 = 0.5;

/// Requests per second at a service's guards, by class, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusals {
    /// Let in.
    pub admitted_rps: [f64; LEVELS],
    /// Refused.
    pub shed_rps: [f64; LEVELS],
}

impl Refusals {
    /// The share of requests of class `level` and above that are refused; zero for none.
    pub fn share_from(&self, level: usize) -> f64 {
        let (shed, admitted): (f64, f64) =
            (self.shed_rps[level..].iter().sum(), self.admitted_rps[level..].iter().sum());
        if shed + admitted > 0.0 { shed / (shed + admitted) } else { 0.0 }
    }
}

/// What the guards of a service said, by instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    instances: BTreeMap<NameId, (u64, Refusals)>,
}

impl Heard {
    pub(crate) fn report(&mut self, config: &CapacityConfig, report: &GuardReport) {
        let instance = NameId::of(&report.instance);
        if !self.instances.contains_key(&instance) && self.instances.len() >= config.instances_max {
            let oldest_ms = report.at_ms.saturating_sub(config.report_ttl_ms);
            self.instances.retain(|_, (at_ms, _)| *at_ms >= oldest_ms);
            if self.instances.len() >= config.instances_max {
                return;
            }
        }
        let (at_ms, smoothed) = self.instances.entry(instance).or_default();
        *at_ms = report.at_ms;
        for level in 0..LEVELS {
            let admitted = &mut smoothed.admitted_rps[level];
            *admitted += WEIGHT * (f64::from(report.admitted[level]) - *admitted);
            let shed = &mut smoothed.shed_rps[level];
            *shed += WEIGHT * (f64::from(report.shed[level]) - *shed);
        }
    }

    /// All instances that were heard lately together; `None` if none was.
    pub(crate) fn sum(&self, config: &CapacityConfig, now_ms: u64) -> Option<Refusals> {
        let oldest_ms = now_ms.saturating_sub(config.report_ttl_ms);
        let fresh = self.instances.values().filter(|(at_ms, _)| *at_ms >= oldest_ms);
        fresh.map(|(_, refusals)| *refusals).reduce(|mut sum, next| {
            for level in 0..LEVELS {
                sum.admitted_rps[level] += next.admitted_rps[level];
                sum.shed_rps[level] += next.shed_rps[level];
            }
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instance: &str, at_ms: u64, admitted: u32, shed: u32) -> GuardReport {
        GuardReport {
            instance: instance.to_owned(),
            at_ms,
            admitted: [0, 0, admitted, 0],
            shed: [0, 0, shed, 0],
            ..GuardReport::default()
        }
    }

    #[test]
    fn what_fresh_instances_say_is_smoothed_and_added_up() {
        let config = CapacityConfig::default();
        let mut heard = Heard::default();
        assert_eq!(heard.sum(&config, 0), None);
        for second in 1..=20 {
            heard.report(&config, &report("a", second * 1000, 30, 10));
            heard.report(&config, &report("b", second * 1000, 50, 10));
        }
        let all = heard.sum(&config, 20_000).unwrap();
        assert!((all.admitted_rps[2] - 80.0).abs() < 0.01 && (all.share_from(0) - 0.2).abs() < 0.01, "{all:?}");
        assert_eq!(all.share_from(3), 0.0, "nobody asks for that class");
        heard.report(&config, &report("a", 20_000 + config.report_ttl_ms, 0, 0));
        let one = heard.sum(&config, 21_000 + config.report_ttl_ms);
        assert!(one.is_none_or(|one| one.admitted_rps[2] < 16.0), "b is silent, and a is told to be idle: {one:?}");
    }
}
