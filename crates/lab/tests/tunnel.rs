//! The closed loop itself: deterministic, fed by bytes, late and lossy as it is told.

use lab::tunnel::{Nobody, Run, Stalls, Stopbank, StopbankConfig, TunnelConfig, Way, fly};
use lab::{World, WorldConfig, builtin};
use window::Grace;

fn stopbank() -> Stopbank {
    let mut config = StopbankConfig { grace: Grace::Fixed { grace_ms: 700 }, ..StopbankConfig::default() };
    config.engine.warmup_windows = 12;
    Stopbank::new(config)
}

fn config(seconds: u64) -> TunnelConfig {
    TunnelConfig { seed: 3, seconds, ..TunnelConfig::default() }
}

fn steered(config: &TunnelConfig) -> Run {
    fly(&builtin("shop").expect("the shop comes with the program"), config, &mut stopbank())
}

fn left_alone(config: &TunnelConfig) -> Run {
    fly(&builtin("shop").expect("the shop comes with the program"), config, &mut Nobody)
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let run = steered(&config(34));
    assert!(run.acts().count() > 0 && run.detection.is_some(), "the stretch is long enough to mean something");
    assert!(run == steered(&config(34)));
    assert!(run.seconds != steered(&TunnelConfig { seed: 4, ..config(34) }).seconds);
}

#[test]
fn without_a_pilot_the_world_goes_its_own_way() {
    let run = left_alone(&config(30));
    let start_unix_ns = TunnelConfig::default().start_unix_ns;
    let shop = builtin("shop").expect("the shop comes with the program");
    let mut world = World::new(shop, WorldConfig { seed: 3, start_unix_ns, obey: true });
    world.run_until(30_000_000_000);
    assert_eq!(run.seconds, world.tally());
    assert_eq!((run.acts().count(), run.findings.len(), run.false_alarms), (0, 0, 0));
}

#[test]
fn a_pilot_that_sees_but_is_never_heard_changes_nothing() {
    let deaf = TunnelConfig { commands: Way { loss: 1.0, ..Way::default() }, ..config(40) };
    let run = steered(&deaf);
    assert!(run.acts().count() > 0);
    assert!(run.acts().all(|sent| sent.arrival.is_none()));
    assert_eq!(run.seconds, left_alone(&deaf).seconds);
}

#[test]
fn commands_arrive_in_order_and_no_sooner_than_they_can() {
    let slow = TunnelConfig { commands: Way { delay_ms: 700, jitter_ms: 400, loss: 0.0 }, ..config(40) };
    let run = steered(&slow);
    let arrived: Vec<(u64, u64)> = run.acts().filter_map(|sent| Some((sent.at_ms, sent.arrival.as_ref()?.0))).collect();
    assert!(arrived.len() > 3, "{arrived:?}");
    assert!(arrived.iter().all(|(sent, arrived)| *arrived >= sent + 700), "{arrived:?}");
    assert!(arrived.is_sorted_by_key(|(_, arrived)| *arrived), "{arrived:?}");
    let mut answers = run.acts().filter_map(|sent| sent.arrival.as_ref());
    assert!(answers.all(|(_, verdict)| *verdict == control::Verdict::Accepted));
}

#[test]
fn what_is_late_is_decided_late() {
    let detected = |config: &TunnelConfig| steered(config).detection.expect("the storm is seen").after_fault_ms;
    let far = Way { delay_ms: 3_000, jitter_ms: 0, loss: 0.0 };
    let prompt_ms = detected(&config(45));
    let late_ms = detected(&TunnelConfig { telemetry: far, reports: far, ..config(45) });
    assert!(late_ms >= prompt_ms + 2_500, "{prompt_ms} {late_ms}");
    let stalled = TunnelConfig { stalls: Stalls { every_s: 4.0, length_ms: 4_000 }, ..config(45) };
    let said = steered(&stalled);
    // half of the time the pilot has no processor and says nothing
    let seconds: std::collections::BTreeSet<u64> = said.audit.iter().map(|told| told.at_ms / 1000).collect();
    assert!(said.detection.is_some() && seconds.len() < 25, "{seconds:?}");
}
