//! Scores: they mean what they say, repeat themselves, and nobody beats the upper bound.

use lab::score::{Board, Ceiling, Entry, METRICS, Scores};
use lab::tunnel::Run;
use lab::{Policy, Scenario, rival, scenario};

fn storm() -> Scenario {
    scenario::builtin("retry-storm").expect("it comes with the program")
}

fn judged(scenario: &Scenario, policy: Policy, seed: u64) -> (Run, Scores) {
    let run = rival::fly(scenario, policy, seed, None);
    let scores = Scores::of(scenario, &run, &Ceiling::new(scenario, seed));
    (run, scores)
}

#[test]
fn a_storm_that_nobody_ends_loses_most_and_is_still_there_at_the_end() {
    let storm = storm();
    let (run, none) = judged(&storm, Policy::None, 1);
    let get = |key| none.get(key).expect("it has a value");
    assert_eq!(get("stuck"), 1.0);
    assert_eq!(get("leave_s"), 120.0 - storm.cause_ends_s());
    assert!(get("value_share") < 0.5 && get("bad_s") > 60.0, "{none:?}");
    assert_eq!((get("harm"), get("commands"), none.get("detect_s")), (0.0, 0.0, None));
    let onset = storm.onset_s() as usize;
    let good: u64 = run.seconds[onset..].iter().map(|second| second.good).sum();
    assert!((get("goodput_rps") - good as f64 / (120 - onset) as f64).abs() < 1e-9);
}

#[test]
fn the_guard_ends_it_and_the_engine_says_what_it_sees() {
    let storm = storm();
    let (_, guard) = judged(&storm, Policy::GuardAlone, 1);
    assert_eq!(guard.get("stuck"), Some(0.0), "{guard:?}");
    let (run, engine) = judged(&storm, Policy::Stopbank, 1);
    assert!(engine.get("detect_s").is_some_and(|detect_s| detect_s < 30.0), "{engine:?}");
    assert!(run.detection.is_some() && engine.get("stuck") == Some(0.0), "{engine:?}");
    // where nothing is bounded it has to act
    let (_, commanded) = judged(&storm, Policy::Commanded, 1);
    assert!(commanded.get("commands").is_some_and(|commands| commands > 0.0), "{commanded:?}");
}

#[test]
fn buyers_get_the_room_that_others_take_from_them_deep_inside() {
    let crowded = scenario::builtin("slow-shared-database").expect("it comes with the program");
    let share = |policy, seed, key| judged(&crowded, policy, seed).1.get(key).expect("it has a value");
    for seed in 1..=3 {
        let buyers = |policy| share(policy, seed, "good_critical_plus");
        let (alone, together) = (buyers(Policy::GuardAlone), buyers(Policy::Stopbank));
        assert!(together > alone + 0.03, "seed {seed}: {alone:.3} of the buyers, {together:.3} with the engine");
        let value = |policy| share(policy, seed, "value_share");
        assert!(value(Policy::Stopbank) > value(Policy::GuardAlone), "seed {seed}");
    }
}

#[test]
fn nobody_beats_the_clairvoyant() {
    // a part of them is enough here; the scoreboard shows them all
    for name in scenario::names().step_by(6) {
        let scenario = scenario::builtin(name).expect("it comes with the program");
        let ceiling = Ceiling::new(&scenario, 2);
        let share = |policy| {
            let run = rival::fly(&scenario, policy, 2, None);
            Scores::of(&scenario, &run, &ceiling).get("value_share").expect("somebody came")
        };
        let bound = share(Policy::Clairvoyant);
        for policy in
            [Policy::None, Policy::Static, Policy::Gradient, Policy::TopFull, Policy::GuardAlone, Policy::Stopbank]
        {
            // half a percent is the luck of service times, which the bound takes at their means
            let value = share(policy);
            assert!(value <= bound + 0.005, "{name}: {} {value} above {bound}", policy.as_str());
        }
    }
}

#[test]
fn a_board_has_every_mean_and_its_difference_to_the_guard_and_the_same_bytes_each_time() {
    let storm = storm();
    let board = || {
        let mut entries = Vec::new();
        for policy in [Policy::None, Policy::GuardAlone, Policy::Clairvoyant] {
            for seed in 1..=2 {
                let scores = judged(&storm, policy, seed).1;
                entries.push(Entry { scenario: "retry-storm".to_owned(), policy, seed, scores });
            }
        }
        Board::new(&entries)
    };
    let first = board();
    let bytes = |board: &Board| board.cells.iter().map(|cell| cell.to_json().to_string()).collect::<Vec<_>>();
    assert_eq!(bytes(&first), bytes(&board()));
    let cell = first.cell("retry-storm", Policy::None).expect("it was run");
    let (own, guard) = (cell.get("value_lost").unwrap(), first.cell("retry-storm", Policy::GuardAlone).unwrap());
    let difference = cell.to_guard("value_lost").unwrap();
    assert!((difference.mean - (own.mean - guard.get("value_lost").unwrap().mean)).abs() < 1e-6);
    assert_eq!((own.n, cell.stats.len(), first.overall.len()), (2, METRICS.len(), 3));
}
