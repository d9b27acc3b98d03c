//! Without any policy each scenario ends as its kind says.

use lab::scenario::{self, Kind};
use lab::{Scenario, World, WorldConfig};

const SECOND_NS: u64 = 1_000_000_000;
/// A self-healing scenario is out of its bad state so long after its cause has gone.
const HEALED_AFTER_S: usize = 30;

/// For each second, was the fleet in the bad state?
fn bad(scenario: &Scenario, seed: u64) -> Vec<bool> {
    let mut world = World::new(scenario.topology.clone(), WorldConfig { seed, ..WorldConfig::default() });
    world.discard_spans();
    world.run_until(u64::from(scenario.terms.length_s) * SECOND_NS);
    scenario.terms.bad.judge(world.tally())
}

#[test]
fn each_ends_as_its_kind_says_on_every_seed() {
    for name in scenario::names() {
        let scenario = scenario::builtin(name).unwrap();
        for seed in 1..=3 {
            let bad = bad(&scenario, seed);
            let (onset, ends) = (scenario.onset_s() as usize, scenario.cause_ends_s().ceil() as usize);
            let share = |from: usize, to: usize| {
                bad[from..to].iter().filter(|bad| **bad).count() as f64 / (to - from).max(1) as f64
            };
            let shown = || bad.iter().map(|bad| if *bad { '#' } else { '.' }).collect::<String>();
            let holds = share(5, onset.max(6)) == 0.0
                && match scenario.terms.kind {
                    Kind::Benign => share(5, bad.len()) == 0.0,
                    Kind::Metastable => bad.len() >= ends + 40 && share(ends, bad.len()) == 1.0,
                    Kind::SelfHealing => {
                        let healed = ends + HEALED_AFTER_S;
                        bad.len() >= healed + 20 && share(onset, ends) > 0.0 && share(healed, bad.len()) == 0.0
                    }
                    Kind::Capacity | Kind::Dependency => share(onset, ends) > 0.3,
                };
            assert!(holds, "{name}, seed {seed}, is not {:?}: {}", scenario.terms.kind, shown());
        }
    }
}
