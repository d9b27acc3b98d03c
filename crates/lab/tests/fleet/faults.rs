//! Faults: what callers see, what the service itself says, and that they come and go when they should.

use crate::{admitted, pair, share, spanning, until, world};
use lab::World;
use std::collections::BTreeMap;

const BACK: &str =
    "workers = 50\ninstances = 2\nzones = [\"a\", \"b\"]\n[[service.operation]]\nname = \"GET /\"\nmean_us = 5000";

fn fault(text: &str) -> String {
    format!("[[fault]]\n{}", text.replace("; ", "\n"))
}

/// Spans of `back` itself, by version, and how many of them failed.
fn spans_of_back(world: &mut World) -> BTreeMap<String, (u64, u64)> {
    let mut spans = BTreeMap::new();
    for (service, span, names) in crate::telemetry::read(world) {
        if service == "back" && span.kind == model::SpanKind::Server {
            let count: &mut (u64, u64) = spans.entry(names[&span.version.0].clone()).or_default();
            count.0 += 1;
            count.1 += u64::from(span.outcome != model::Outcome::Ok);
        }
    }
    spans
}

#[test]
fn of_a_gray_failure_only_the_callers_know() {
    let gray = fault("kind = \"gray\"; service = \"back\"; instance = 1; share = 0.8; start_s = 10; duration_s = 20");
    let mut world = spanning(&pair(200, "", BACK, &gray), 1);
    until(&mut world, 10);
    spans_of_back(&mut world);
    let hit = until(&mut world, 30);
    // half of the requests go there, and 80 % of their answers are lost
    assert!((share(hit.failed, hit.offered) - 0.4).abs() < 0.03, "{hit:?}");
    let (spans, failed) = spans_of_back(&mut world)["1.0.0"];
    assert!(spans > 3500 && failed == 0, "{spans} {failed}");
    until(&mut world, 32);
    assert_eq!(until(&mut world, 40).failed, 0);
}

#[test]
fn a_crash_takes_what_an_instance_holds_and_callers_avoid_it_once_they_know() {
    let crash =
        fault("kind = \"crash\"; service = \"back\"; instance = 0; detect_s = 1.5; start_s = 10.2; duration_s = 9.8");
    let slow = BACK.replace("mean_us = 5000", "mean_us = 100000");
    let mut world = world(&pair(200, "", &slow, &crash), 2);
    until(&mut world, 10);
    // about ten are at work there; for a second and a half every second attempt is refused
    let unaware = until(&mut world, 12);
    assert!((unaware.broken as f64 - 160.0).abs() < 30.0 && unaware.failed == unaware.broken, "{unaware:?}");
    until(&mut world, 13);
    let aware = until(&mut world, 20);
    assert!(aware.broken == 0 && aware.failed < 4, "{aware:?}");
    world.take_reports();
    until(&mut world, 30);
    let reports = world.take_reports();
    let back: u32 = reports.iter().filter(|report| report.instance == "back-0").map(|report| report.completed).sum();
    assert!((f64::from(back) - 1000.0).abs() < 120.0, "{back}");
}

#[test]
fn a_crash_loop_dies_again_and_again_until_its_time_is_over() {
    let text =
        "kind = \"crash\"; service = \"back\"; instance = 0; start_s = 10; duration_s = 2; every_s = 5; until_s = 28";
    let mut world = world(&pair(200, "", BACK, &fault(text)), 3);
    world.run_until(60 * crate::SECOND_NS);
    let broken: Vec<bool> = world.tally().iter().map(|second| second.broken > 10).collect();
    let seconds: Vec<usize> = (0..60).filter(|second| broken[*second]).collect();
    assert_eq!(seconds, [10, 15, 20, 25]);
}

#[test]
fn a_lost_zone_is_mute_until_callers_fail_over() {
    let zone = fault("kind = \"zone_loss\"; zone = \"b\"; detect_s = 4; start_s = 10; duration_s = 15");
    let mut world = world(&pair(200, "", BACK, &zone), 4);
    until(&mut world, 10);
    let unaware = until(&mut world, 14);
    assert!((share(unaware.failed, unaware.offered) - 0.44).abs() < 0.06 && unaware.broken == 0, "{unaware:?}");
    until(&mut world, 15);
    let failed_over = until(&mut world, 25);
    assert_eq!(failed_over.failed, 0);
    admitted(&mut world);
    until(&mut world, 35);
    let in_b = world.take_reports().iter().filter(|report| report.instance == "back-1").count();
    assert_eq!(in_b, 10);
}

#[test]
fn a_deployment_reaches_a_part_one_after_the_other_and_is_rolled_back() {
    let back = BACK.replace("instances = 2", "instances = 4");
    let text = "kind = \"deploy\"; service = \"back\"; version = \"2.0.0\"; part = 0.5; step_s = 5; share = 1.0; start_s = 10; duration_s = 20";
    let mut world = spanning(&pair(400, "", &back, &fault(text)), 5);
    let mut at = |from_s, to_s| {
        until(&mut world, from_s);
        spans_of_back(&mut world);
        until(&mut world, to_s);
        spans_of_back(&mut world)
    };
    let of_new = |spans: &BTreeMap<String, (u64, u64)>| {
        let new = spans.get("2.0.0").copied().unwrap_or_default();
        assert_eq!(new.0, new.1, "the new version fails always");
        share(new.0, spans.values().map(|(count, _)| count).sum())
    };
    assert_eq!(of_new(&at(5, 10)), 0.0);
    assert!((of_new(&at(11, 15)) - 0.25).abs() < 0.03);
    assert!((of_new(&at(16, 29)) - 0.5).abs() < 0.03);
    assert_eq!(of_new(&at(31, 40)), 0.0);
}

#[test]
fn faults_at_random_come_by_the_seed_and_keep_their_means() {
    let text =
        "kind = \"errors\"; service = \"back\"; share = 1.0; random = true; start_s = 0; duration_s = 5; every_s = 20";
    let toml = pair(100, "", BACK, &fault(text));
    let failing = |seed| {
        let mut world = world(&toml, seed);
        world.run_until(2000 * crate::SECOND_NS);
        world.tally().iter().map(|second| second.failed > second.good).collect::<Vec<bool>>()
    };
    let (one, other) = (failing(1), failing(2));
    assert_eq!(one, failing(1));
    assert_ne!(one, other);
    let on = one.iter().chain(&other).filter(|failing| **failing).count() as f64 / 4000.0;
    // a quarter of the time; some two hundred spells, so the error of the mean is about 2 %
    assert!((on - 0.25).abs() < 0.07, "{on}");
}
