//! The demo's story: healthy, a fault, a storm that outlives it; and the way back by commands.

use lab::{Second, World, WorldConfig, builtin};
use model::{Command, CommandId, Mode, Reason, Setting, Target};

const SECOND_NS: u64 = 1_000_000_000;
const START_UNIX_NS: u64 = 1_750_000_000 * SECOND_NS;

fn world(seed: u64) -> World {
    World::new(
        builtin("shop").expect("the shop comes with the program"),
        WorldConfig { seed, start_unix_ns: START_UNIX_NS, obey: true },
    )
}

fn run(world: &mut World, until_s: u64) {
    world.run_until(until_s * SECOND_NS);
    world.take_exports();
}

fn goodput(seconds: &[Second]) -> f64 {
    seconds.iter().map(|second| second.good as f64).sum::<f64>() / seconds.len() as f64
}

fn command(world: &mut World, target: Target, setting: Setting, ttl_ms: u32) {
    let knob = setting.knob();
    let id = CommandId(format!("test {target} {}", knob.as_str()));
    let reason = Reason::default();
    let command = Command { id, sequence: 1, ttl_ms, target, knob, setting: Some(setting), reason, mode: Mode::Act };
    let now_ms = world.now_unix_ns() / 1_000_000;
    assert_eq!(world.command(&command, now_ms), control::Verdict::Accepted);
}

/// What a person who knows the fault would command.
fn rescue(world: &mut World) {
    command(world, Target::service("inventory"), Setting::QueueBound { work_ms: 75 }, 60_000);
    command(world, Target::service("checkout"), Setting::QueueBound { work_ms: 300 }, 60_000);
    for caller in ["gateway", "checkout"] {
        let budget = Setting::RetryBudget { ratio_permille: 50 };
        command(world, Target::edge(caller, "inventory"), budget, 60_000);
    }
    command(world, Target::service("inventory"), Setting::Purge { older_than_ms: 400 }, 10_000);
}

#[test]
fn the_storm_outlives_its_cause_on_every_seed() {
    for seed in 1..=6 {
        let mut world = world(seed);
        run(&mut world, 120);
        let tally = world.tally();
        let healthy = goodput(&tally[5..20]);
        assert!((250.0..400.0).contains(&healthy), "seed {seed}: healthy {healthy}");
        for from in (35..115).step_by(5) {
            let down = goodput(&tally[from..from + 5]);
            assert!(down < 0.4 * healthy, "seed {seed}: {down} of {healthy} requests/s from {from} s");
        }
    }
}

#[test]
fn a_short_fault_on_a_fleet_that_does_not_retry_heals_by_itself() {
    let text = lab::builtin_toml("shop")
        .expect("the shop comes with the program")
        .replace("retries = 1", "retries = 0")
        .replace("retries = 2", "retries = 0");
    let config = WorldConfig { seed: 1, start_unix_ns: START_UNIX_NS, obey: true };
    let mut world = World::new(lab::Topology::from_toml(&text).expect("the shop comes with the program"), config);
    run(&mut world, 70);
    let tally = world.tally();
    assert!(goodput(&tally[60..70]) > 0.95 * goodput(&tally[5..20]));
}

#[test]
fn commands_bring_goodput_back_within_five_seconds() {
    for seed in 1..=6 {
        let mut world = world(seed);
        run(&mut world, 60);
        rescue(&mut world);
        run(&mut world, 120);
        let tally = world.tally();
        let healthy = goodput(&tally[5..20]);
        for from in [65, 75, 85, 95, 105, 115] {
            let back = goodput(&tally[from..from + 5]);
            assert!(back > 0.95 * goodput_offered(&tally[from..from + 5]), "seed {seed} {from}: {back} of {healthy}");
        }
    }
}

/// What could have been good: everything that was offered (arrivals swing by chance, so this is the fairer yardstick).
fn goodput_offered(seconds: &[Second]) -> f64 {
    seconds.iter().map(|second| second.offered as f64).sum::<f64>() / seconds.len() as f64
}

#[test]
fn a_world_that_does_not_obey_is_the_same_as_one_without_commands() {
    let config = WorldConfig { seed: 3, start_unix_ns: START_UNIX_NS, obey: false };
    let mut deaf = World::new(builtin("shop").expect("the shop comes with the program"), config);
    let mut left_alone = world(3);
    run(&mut deaf, 60);
    rescue(&mut deaf);
    run(&mut deaf, 90);
    run(&mut left_alone, 90);
    assert_eq!(deaf.tally(), left_alone.tally());
}

#[test]
fn leases_that_end_leave_a_fleet_without_guards() {
    let mut world = world(4);
    run(&mut world, 5);
    command(&mut world, Target::service("inventory"), Setting::Concurrency { limit: 1 }, 3_000);
    run(&mut world, 8);
    let sheds = |world: &World, from: usize| world.tally()[from..].iter().flat_map(|s| s.sheds).sum::<u64>();
    assert!(sheds(&world, 5) > 100);
    // the way back is a jittered ramp of at most 15 s
    run(&mut world, 30);
    assert_eq!(sheds(&world, 25), 0);
}

#[test]
fn reports_come_each_second_from_every_guard_and_say_what_it_obeys() {
    let mut world = world(5);
    run(&mut world, 2);
    let count = world.take_reports().len();
    command(&mut world, Target::service("inventory"), Setting::QueueBound { work_ms: 75 }, 60_000);
    run(&mut world, 3);
    let reports = world.take_reports();
    assert_eq!(reports.len() * 2, count);
    let obeying: Vec<_> = reports.iter().filter(|report| !report.obeyed.is_empty()).collect();
    assert!(obeying.len() == 2 && obeying.iter().all(|report| report.service == "inventory"));
    assert!(obeying.iter().all(|report| report.completed > 50 && report.admitted.iter().sum::<u32>() > 50));
}

#[test]
fn a_command_for_an_operation_goes_by_the_name_that_telemetry_gives_it() {
    let mut world = world(6);
    run(&mut world, 5);
    let nothing = Setting::Admission { lowest: model::Criticality::CriticalPlus, fraction_permille: 1000 };
    command(&mut world, Target::operation("gateway", "/api/products/{id}"), nothing, 60_000);
    run(&mut world, 10);
    let seconds = &world.tally()[6..10];
    let sheds = |level: usize| seconds.iter().map(|second| second.sheds[level]).sum::<u64>();
    // all of the visitors, and nobody else
    assert!(sheds(2) > 500, "{seconds:?}");
    assert_eq!([sheds(0), sheds(1), sheds(3)], [0, 0, 0]);
}
