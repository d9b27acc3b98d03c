//! Without any policy each scenario ends as its kind says.

use lab::scenario::{self, Kind};
use lab::{Scenario, World, WorldConfig};

const SECOND_NS: u64 = 1_000_000_000;
/// A fleet has warmed up so long after its beginning.
const WARM_S: usize = 5;
/// The bad state of a self-healing scenario ends so long after its cause at the latest.
const HEALED_AFTER_S: usize = 30;
/// For so long at least the bad state of a metastable one outlives its cause.
const OUTLIVES_S: usize = 40;

/// For each second, was the fleet in the bad state?
fn bad(scenario: &Scenario, seed: u64) -> Vec<bool> {
    let mut world = World::new(scenario.topology.clone(), WorldConfig { seed, ..WorldConfig::default() });
    world.discard_spans();
    world.run_until(u64::from(scenario.terms.length_s) * SECOND_NS);
    let total = world.total();
    let ended = total.good + total.failed + total.shed;
    assert_eq!(total.offered, ended + world.in_flight(), "{}: every request ends once", scenario.name());
    scenario.terms.bad.judge(world.tally())
}

fn is_as_its_kind_says(scenario: &Scenario, bad: &[bool]) -> bool {
    let (onset, ends) = (scenario.onset_s() as usize, scenario.cause_ends_s().ceil() as usize);
    let (all, healed) = (bad.len(), ends + HEALED_AFTER_S);
    let any = |from: usize, to: usize| bad[from.min(to)..to].iter().any(|bad| *bad);
    let every = |from: usize, to: usize| bad[from..to].iter().all(|bad| *bad);
    !any(WARM_S, onset)
        && match scenario.terms.kind {
            Kind::Benign => !any(WARM_S, all),
            Kind::Metastable => ends + OUTLIVES_S <= all && every(ends, all),
            Kind::SelfHealing => healed + 10 <= all && any(onset, healed) && !any(healed, all),
            Kind::Capacity | Kind::Dependency => bad[onset..ends].iter().filter(|bad| **bad).count() * 3 > ends - onset,
        }
}

#[test]
fn each_ends_as_its_kind_says_on_every_seed() {
    let mut wrong = Vec::new();
    for name in scenario::names() {
        let scenario = scenario::builtin(name).unwrap();
        for seed in 1..=3 {
            let bad = bad(&scenario, seed);
            if !is_as_its_kind_says(&scenario, &bad) {
                let shown: String = bad.iter().map(|bad| if *bad { '#' } else { '.' }).collect();
                wrong.push(format!("{name}, seed {seed}, is not {:?}: {shown}", scenario.terms.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_of_each_kind() {
    let count = |wanted: fn(&Scenario) -> bool| {
        scenario::names().filter(|name| wanted(&scenario::builtin(name).unwrap())).count()
    };
    let metastable = count(|scenario| scenario.terms.kind == Kind::Metastable);
    let healing = count(|scenario| scenario.terms.kind == Kind::SelfHealing);
    let benign = count(|scenario| scenario.terms.kind == Kind::Benign);
    assert!(scenario::names().count() >= 25 && metastable >= 5 && benign >= 8);
    assert!(healing >= metastable, "{healing} heal themselves, {metastable} do not");
}
