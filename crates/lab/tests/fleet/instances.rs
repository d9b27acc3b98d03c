//! Instances come and go: autoscaler, probes.

use crate::{pair, share, until, world};
use lab::World;
use std::collections::BTreeSet;

/// How many instances of `back` report.
fn reporting(world: &mut World) -> usize {
    let reports = world.take_reports();
    let last = reports.iter().map(|report| report.at_ms).max();
    let of = reports.iter().filter(|report| Some(report.at_ms) == last && report.service == "back");
    of.map(|report| report.instance.clone()).collect::<BTreeSet<_>>().len()
}

#[test]
fn an_autoscaler_adds_after_the_start_up_time_and_takes_away_late() {
    let back = "workers = 4\ninstances = 2\nautoscale = { min = 2, max = 8, target = 0.5, start_s = 20, every_s = 5, down_s = 30 }
        [[service.operation]]\nname = \"GET /\"\nmean_us = 10000\ndistribution = \"constant\"";
    // 2 instances are nearly half busy at 360 requests a second, 4 at 648
    let fault = "[[fault]]\nkind = \"surge\"\nfactor = 1.8\nstart_s = 30\nduration_s = 60";
    let mut world = world(&pair(360, "", back, fault), 1);
    let mut count = |second| {
        until(&mut world, second);
        reporting(&mut world)
    };
    assert_eq!([count(30), count(48)], [2, 2]);
    let grown = count(70);
    assert!((4..=5).contains(&grown), "{grown}");
    assert_eq!(count(100), grown);
    assert_eq!(count(180), 2);
    let end = until(&mut world, 200);
    assert!(share(end.good, end.offered) > 0.99);
}

#[test]
fn an_instance_that_does_not_answer_its_probe_is_killed_and_starts_again() {
    let back = "workers = 4\ninstances = 2\nliveness = { delay_ms = 300, restart_s = 5 }\n[[service.operation]]\nname = \"GET /\"\nmean_us = 10000";
    let fault =
        "[[fault]]\nkind = \"slow\"\nfactor = 50\nservice = \"back\"\ninstance = 0\nstart_s = 10\nduration_s = 4";
    let mut world = world(&pair(300, "", back, fault), 2);
    until(&mut world, 10);
    assert_eq!(reporting(&mut world), 2);
    let hit = until(&mut world, 14);
    assert_eq!(reporting(&mut world), 1);
    assert!(hit.broken > 20, "{hit:?}");
    // the other one carries everything meanwhile, for callers know at once
    let alone = until(&mut world, 16);
    assert!(share(alone.good, alone.offered) > 0.95, "{alone:?}");
    until(&mut world, 22);
    assert_eq!(reporting(&mut world), 2);
}
