//! The upper bound of a scenario and a seed: what could be served at best.

use super::fluid;
use crate::tunnel::Run;
use crate::world::foresight::Foresight;
use crate::{Policy, Scenario, Second};
use model::LEVELS;

/// What could be served, second by second.
pub struct Ceiling {
    seed: u64,
    offered: Vec<[u64; LEVELS]>,
    /// Good answers by criticality, lowest first.
    pub(super) served: fluid::Served,
}

impl Ceiling {
    /// Foresees a scenario with a seed.
    pub fn new(scenario: &Scenario, seed: u64) -> Ceiling {
        let foresight = Foresight::new(&scenario.topology, seed, u64::from(scenario.terms.length_s));
        let clients = &foresight.plan.clients;
        let values: Vec<f64> = clients.iter().map(|client| scenario.terms.value.of(client.criticality)).collect();
        let offered = foresight.seconds.iter().map(|bare| {
            let mut by = [0; LEVELS];
            for (client, arrivals) in clients.iter().zip(&bare.arrivals) {
                by[client.criticality.index()] += u64::from(*arrivals);
            }
            by
        });
        Ceiling { seed, offered: offered.collect(), served: fluid::best(&foresight, &values) }
    }

    /// The bound as if somebody had run it: whole answers, and what is not served is refused at the entry.
    pub fn as_run(&self) -> Run {
        let (mut due, mut told) = ([0.0; LEVELS], [0u64; LEVELS]);
        let seconds = self.offered.iter().zip(&self.served).map(|(offered, served)| {
            let mut second = Second { offered: offered.iter().sum(), offered_by: *offered, ..Second::default() };
            for level in 0..LEVELS {
                due[level] += served[level];
                // rounded up, so that it stays a bound
                let whole = (due[level] - 1e-6).ceil().max(0.0) as u64;
                second.good_by[level] = whole - told[level];
                told[level] = whole;
            }
            second.good = second.good_by.iter().sum();
            second.shed = second.offered.saturating_sub(second.good);
            (second.first_attempts, second.attempts) = (second.good, second.good);
            second
        });
        let seconds = seconds.collect();
        Run {
            policy: Policy::Clairvoyant.as_str().to_owned(),
            seed: self.seed,
            start_unix_ms: 0,
            seconds,
            findings: Vec::new(),
            commands: Vec::new(),
            audit: Vec::new(),
            detection: None,
            false_alarms: 0,
            fault_ms: None,
        }
    }
}
