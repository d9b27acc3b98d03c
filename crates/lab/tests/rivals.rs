//! Rivals in the world: they lose no request, repeat themselves, and cost nothing where there is none.

use control::Verdict;
use lab::rival::{self, Cure};
use lab::{Policy, Second, Topology, World, WorldConfig, builtin};
use model::Criticality;

const SECOND_NS: u64 = 1_000_000_000;

/// The payment platform at a time at which its provider is slow.
fn topology() -> Topology {
    builtin("payments").expect("it comes with the program")
}

/// The policies that live beside the requests.
fn beside() -> impl Iterator<Item = Policy> {
    Policy::all().filter(|policy| {
        !matches!(policy, Policy::Stopbank | Policy::Commanded | Policy::Hindsight | Policy::Clairvoyant)
    })
}

fn run(policy: Policy, seed: u64, seconds: u64) -> World {
    let mut world = World::new(topology(), WorldConfig { seed, ..WorldConfig::default() });
    world.protect(policy, seed);
    world.discard_spans();
    world.run_until(seconds * SECOND_NS);
    world
}

#[test]
fn every_request_is_offered_once_and_ends_once_under_every_policy() {
    for policy in beside() {
        let mut world = run(policy, 3, 60);
        world.stop_arrivals();
        world.run_until(120 * SECOND_NS);
        let total = world.total();
        assert_eq!(world.in_flight(), 0, "{}", policy.as_str());
        assert_eq!(total.offered, total.good + total.failed + total.shed, "{}", policy.as_str());
        assert!(total.good > 0, "{}", policy.as_str());
    }
}

#[test]
fn the_same_seed_gives_the_same_seconds_and_another_does_not() {
    for policy in beside() {
        let tally = |seed| run(policy, seed, 40).tally().to_vec();
        assert_eq!(tally(5), tally(5), "{}", policy.as_str());
        assert_ne!(tally(5), tally(6), "{}", policy.as_str());
    }
}

#[test]
fn policies_leave_a_healthy_fleet_alone() {
    for policy in beside() {
        let mut world = World::new(topology().without_faults(), WorldConfig { seed: 2, ..WorldConfig::default() });
        world.protect(policy, 2);
        world.discard_spans();
        world.run_until(60 * SECOND_NS);
        let mut total = Second::default();
        // credits and limits need a few seconds to find their level
        world.tally()[10..].iter().for_each(|second| total.add(second));
        let share = total.good as f64 / total.offered as f64;
        assert!(share > 0.98, "{}: {share} good, {} shed", policy.as_str(), total.shed);
    }
}

#[test]
fn what_hindsight_plans_is_obeyed() {
    let scenario = lab::scenario::builtin("retry-storm").expect("it comes with the program");
    let cure = Cure {
        from_s: 32,
        until_s: 60,
        admits: Some((Criticality::CriticalPlus, 1000)),
        retry_permille: Some(0),
        queue_ms: Some(25),
        purge_ms: Some(50),
    };
    let run = rival::fly(&scenario, Policy::Hindsight, 1, Some(&cure));
    let verdicts: Vec<_> = run.acts().map(|sent| sent.arrival.as_ref().map(|(_, verdict)| *verdict)).collect();
    assert!(!verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(Verdict::Accepted)), "{verdicts:?}");
    let shed = |from: usize, to: usize| run.seconds[from..to].iter().map(|second| second.shed).sum::<u64>();
    assert!(shed(35, 55) > 10 * shed(5, 25).max(1), "{} {}", shed(35, 55), shed(5, 25));
}
