//! Commands on their way: late, or never heard; and reports that are lost.

use crate::{START_UNIX_NS, pair, until, world};
use control::Verdict;
use lab::World;
use model::{Command, CommandId, Mode, Reason, Setting, Target};

const BACK: &str = "workers = 50\ninstances = 20\n[[service.operation]]\nname = \"GET /\"\nmean_us = 5000";

fn toml(control: &str, rest: &str) -> String {
    pair(400, "", BACK, rest).replacen("[[client]]", &format!("[control]\n{control}\n[[client]]"), 1)
}

fn command(world: &mut World, sequence: u64, target: Target, ttl_ms: u32) -> Verdict {
    let setting = Setting::Concurrency { limit: 7 };
    let (id, reason) = (CommandId("test".to_owned()), Reason::default());
    let knob = setting.knob();
    let command = Command { id, sequence, ttl_ms, target, knob, setting: Some(setting), reason, mode: Mode::Act };
    let now_ms = world.now_unix_ns() / 1_000_000;
    world.command(&command, now_ms)
}

/// How many instances obeyed something in the last second.
fn obeying(world: &mut World) -> usize {
    let reports = world.take_reports();
    let last_ms = reports.iter().map(|report| report.at_ms).max();
    reports.iter().filter(|report| Some(report.at_ms) == last_ms && !report.obeyed.is_empty()).count()
}

#[test]
fn guards_hear_commands_late_each_at_its_own_time() {
    let mut world = world(&toml("delay_ms = 2000", ""), 1);
    until(&mut world, 5);
    assert_eq!(command(&mut world, 1, Target::service("back"), 60_000), Verdict::Accepted);
    let mut seen = |second| {
        until(&mut world, second);
        obeying(&mut world)
    };
    let (soon, half, all) = (seen(6), seen(7), seen(9));
    assert!(soon == 0 && half > 3 && half < 17 && all == 20, "{soon} {half} {all}");
}

#[test]
fn who_has_not_heard_a_command_hears_its_renewal() {
    let mut world = world(&toml("loss = 0.5", ""), 2);
    until(&mut world, 5);
    command(&mut world, 1, Target::service("back"), 60_000);
    until(&mut world, 6);
    let first = obeying(&mut world);
    assert!(first > 3 && first < 17, "{first}");
    for sequence in 2..=8 {
        command(&mut world, sequence, Target::service("back"), 60_000);
    }
    until(&mut world, 7);
    assert_eq!(obeying(&mut world), 20);
}

#[test]
fn reports_are_lost_too() {
    let mut world = world(&toml("report_loss = 0.3", ""), 3);
    until(&mut world, 60);
    let count = world.take_reports().len() as f64;
    assert!((count / (60.0 * 21.0) - 0.7).abs() < 0.05, "{count}");
}

#[test]
fn a_process_that_starts_reads_the_topic_and_obeys_again() {
    let crash = "[[fault]]\nkind = \"crash\"\nservice = \"back\"\ninstance = 3\nstart_s = 10\nduration_s = 5";
    let mut world = world(&toml("", crash), 4);
    until(&mut world, 5);
    command(&mut world, 1, Target::service("back"), 600_000);
    let mut seen = |second| {
        until(&mut world, second);
        obeying(&mut world)
    };
    assert_eq!([seen(8), seen(12), seen(17)], [20, 19, 20]);
}

#[test]
fn a_command_for_one_version_reaches_only_that() {
    let deploy =
        "[[fault]]\nkind = \"deploy\"\nservice = \"back\"\nversion = \"2\"\npart = 0.25\nstart_s = 10\nduration_s = 20";
    let mut world = world(&toml("", deploy), 5);
    until(&mut world, 12);
    assert!(world.now_unix_ns() > START_UNIX_NS);
    let target = Target { version: Some("2".to_owned()), ..Target::service("back") };
    command(&mut world, 1, target, 600_000);
    until(&mut world, 14);
    assert_eq!(obeying(&mut world), 5);
    until(&mut world, 32);
    assert_eq!(obeying(&mut world), 0);
}
