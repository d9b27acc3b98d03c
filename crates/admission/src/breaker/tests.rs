use super::*;
use proptest::prelude::*;

mod exhaustive;

fn config() -> BreakerConfig {
    BreakerConfig {
        window: BreakerWindow::Calls(10),
        calls_min: 10,
        open_base_ms: 1000,
        open_max_ms: 8000,
        jitter_permille: 0,
        probes: 3,
        probe_timeout_ms: 500,
        ramp_ms: 1000,
        ..BreakerConfig::default()
    }
}

fn allowed(permit: Permit) -> Option<Ticket> {
    match permit {
        Permit::Allowed(ticket) => Some(ticket),
        Permit::Refused { .. } => None,
    }
}

fn calls(breaker: &mut Breaker, ends: &[CallEnd], now_ms: u64) {
    for end in ends {
        let ticket = allowed(breaker.acquire(now_ms, 0)).expect("the breaker lets this call pass");
        breaker.record(ticket, *end, 1, now_ms, 0);
    }
}

#[test]
fn it_opens_probes_ramps_and_closes() {
    let mut breaker = Breaker::new(config());
    calls(&mut breaker, &[CallEnd::Success; 5], 0);
    calls(&mut breaker, &[CallEnd::Failure; 5], 0);
    assert_eq!(breaker.phase(0), BreakerPhase::Open);
    let refused = Permit::Refused { reason: OpenReason::FailureRate { permille: 500 }, retry_after_ms: 900 };
    assert_eq!(breaker.acquire(100, 0), refused);
    let probes: Vec<Ticket> = (0..3).filter_map(|_| allowed(breaker.acquire(1000, 0))).collect();
    assert_eq!(breaker.phase(1000), BreakerPhase::HalfOpen);
    assert!(allowed(breaker.acquire(1000, 0)).is_none(), "three probes and no more");
    probes.into_iter().for_each(|ticket| breaker.record(ticket, CallEnd::Success, 1, 1001, 0));
    assert_eq!(breaker.phase(1001), BreakerPhase::Ramp);
    let through = |breaker: &mut Breaker, now_ms| {
        (0..1000).filter(|random| allowed(breaker.acquire(now_ms, *random)).is_some()).count()
    };
    assert_eq!(through(&mut breaker, 1001), 100);
    assert_eq!(through(&mut breaker, 1501), 550);
    assert_eq!(through(&mut breaker, 2001), 1000);
    assert_eq!(breaker.phase(2001), BreakerPhase::Closed);
}

#[test]
fn openings_grow_up_to_the_cap_and_start_again_after_a_full_recovery() {
    let mut breaker = Breaker::new(config());
    calls(&mut breaker, &[CallEnd::Failure; 10], 0);
    let (mut now_ms, mut lengths) = (0, Vec::new());
    for _ in 0..5 {
        let Permit::Refused { retry_after_ms, .. } = breaker.acquire(now_ms, 0) else { panic!("it is open") };
        lengths.push(retry_after_ms);
        now_ms += retry_after_ms;
        calls(&mut breaker, &[CallEnd::Failure; 2], now_ms);
    }
    assert_eq!(lengths, [1000, 2000, 4000, 8000, 8000]);
    now_ms += 8000;
    calls(&mut breaker, &[CallEnd::Success; 3], now_ms);
    now_ms += 1000;
    calls(&mut breaker, &[CallEnd::Failure; 10], now_ms);
    assert!(matches!(breaker.acquire(now_ms, 0), Permit::Refused { retry_after_ms: 1000, .. }));
}

#[test]
fn reopening_is_jittered_around_the_power() {
    let config = BreakerConfig { jitter_permille: 500, ..config() };
    let lengths: Vec<u64> = (0..1001).map(|random| config.open_ms(1, random)).collect();
    assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&1000), Some(&3000)));
}

#[test]
fn what_a_limiter_refused_or_a_caller_cancelled_opens_nothing() {
    let mut breaker = Breaker::new(config());
    calls(&mut breaker, &[CallEnd::Ignored; 100], 0);
    assert_eq!((breaker.phase(0), breaker.health(0)), (BreakerPhase::Closed, Health::default()));
}

#[test]
fn slow_calls_and_failures_in_a_row_open_it_too() {
    let slow = BreakerConfig { slow_permille: 500, slow_call_ms: 100, ..config() };
    let mut breaker = Breaker::new(slow);
    for took_ms in [1, 1, 1, 1, 1, 100, 100, 100, 100, 100] {
        let ticket = allowed(breaker.acquire(0, 0)).unwrap();
        breaker.record(ticket, CallEnd::Success, took_ms, 0, 0);
    }
    assert!(matches!(breaker.acquire(0, 0), Permit::Refused { reason: OpenReason::SlowRate { permille: 500 }, .. }));
    let mut breaker = Breaker::new(BreakerConfig { consecutive_failures: 3, ..config() });
    calls(&mut breaker, &[CallEnd::Failure; 3], 0);
    let refused = breaker.acquire(0, 0);
    assert!(matches!(refused, Permit::Refused { reason: OpenReason::Consecutive { failures: 3 }, .. }));
}

#[test]
fn a_time_window_forgets_what_is_old() {
    let mut breaker = Breaker::new(BreakerConfig { window: BreakerWindow::Ms(1000), ..config() });
    calls(&mut breaker, &[CallEnd::Failure; 9], 0);
    assert_eq!(breaker.health(900).failed, 9);
    calls(&mut breaker, &[CallEnd::Failure], 1100);
    assert_eq!(breaker.health(1100), Health { calls: 1, failed: 1, slow: 0 });
    assert_eq!(breaker.phase(1100), BreakerPhase::Closed);
}

#[test]
fn an_answer_from_an_earlier_phase_does_not_count() {
    let mut breaker = Breaker::new(config());
    let old: Vec<Ticket> = (0..3).filter_map(|_| allowed(breaker.acquire(0, 0))).collect();
    calls(&mut breaker, &[CallEnd::Failure; 10], 0);
    let _probe = allowed(breaker.acquire(1000, 0)).unwrap();
    old.into_iter().for_each(|ticket| breaker.record(ticket, CallEnd::Success, 1, 1000, 0));
    assert_eq!(breaker.phase(1000), BreakerPhase::HalfOpen);
}

#[test]
fn modes_stand_above_everything_and_a_command_holds_a_phase() {
    let mut breaker = Breaker::new(BreakerConfig { mode: BreakerMode::ForcedOpen, ..config() });
    assert!(matches!(breaker.acquire(0, 0), Permit::Refused { reason: OpenReason::Forced, .. }));
    breaker.set_config(BreakerConfig { mode: BreakerMode::MetricsOnly, ..config() });
    calls(&mut breaker, &[CallEnd::Failure; 10], 0);
    assert_eq!(breaker.phase(0), BreakerPhase::Open);
    calls(&mut breaker, &[CallEnd::Failure; 10], 0);
    let mut breaker = Breaker::new(config());
    breaker.command(Some(BreakerPhase::Open), 0);
    assert!(matches!(
        breaker.acquire(99_999, 0),
        Permit::Refused { reason: OpenReason::Commanded, retry_after_ms: 1000 }
    ));
    breaker.command(None, 100_000);
    assert_eq!(breaker.phase(100_000), BreakerPhase::HalfOpen, "gently, through probes");
    breaker.command(Some(BreakerPhase::Closed), 100_000);
    calls(&mut breaker, &[CallEnd::Failure; 50], 100_000);
    assert_eq!(breaker.phase(100_000), BreakerPhase::Closed);
}

#[test]
fn forced_closed_counts_and_never_opens_and_disabled_does_not_even_count() {
    let run = |mode| {
        let mut breaker = Breaker::new(BreakerConfig { mode, consecutive_failures: 1, ..config() });
        calls(&mut breaker, &[CallEnd::Failure; 10], 0);
        (breaker.phase(0), breaker.reason(0), breaker.health(0).failed)
    };
    assert_eq!(run(BreakerMode::ForcedClosed), (BreakerPhase::Closed, None, 10));
    assert_eq!(run(BreakerMode::Disabled), (BreakerPhase::Closed, None, 0));
}

#[test]
fn thresholds_change_without_losing_what_was_counted() {
    let mut breaker = Breaker::new(config());
    calls(&mut breaker, &[CallEnd::Success; 7], 0);
    calls(&mut breaker, &[CallEnd::Failure; 2], 0);
    breaker.set_config(BreakerConfig { failure_permille: 300, ..config() });
    calls(&mut breaker, &[CallEnd::Failure], 0);
    assert_eq!(breaker.phase(0), BreakerPhase::Open);
}

#[test]
fn a_window_of_calls_becomes_one_of_time_and_back_and_keeps_what_was_counted() {
    let window = |window| BreakerConfig { window, calls_min: 100, ..config() };
    let mut breaker = Breaker::new(window(BreakerWindow::Calls(10)));
    for now_ms in 0..10 {
        calls(&mut breaker, &[CallEnd::Failure], now_ms * 100);
    }
    breaker.set_config(window(BreakerWindow::Ms(500)));
    assert_eq!(breaker.health(1000).failed, 4, "those of the last half second");
    calls(&mut breaker, &[CallEnd::Success; 6], 1000);
    breaker.set_config(window(BreakerWindow::Calls(8)));
    assert_eq!(breaker.health(9999), Health { calls: 8, failed: 2, slow: 0 }, "the last eight");
}

#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Call,
    Answer(usize, u8),
    Lose(usize),
    Command(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        1 => (0u64..3000).prop_map(Event::Wait),
        4 => Just(Event::Call),
        3 => (0usize..8, 0u8..3).prop_map(|(at, end)| Event::Answer(at, end)),
        1 => (0usize..8).prop_map(Event::Lose),
        1 => (0u8..6).prop_map(Event::Command),
    ];
    prop::collection::vec(event, 0..150)
}

proptest! {
    /// Whatever happened before, and even if every later answer is lost: within the longest open time and a probe's
    /// timeout a call is let through again.
    #[test]
    fn it_cannot_wedge(events in events(), consecutive in 0u32..3, jitter in 0u16..=500, random: u64) {
        let config = BreakerConfig { consecutive_failures: consecutive, jitter_permille: jitter, ..config() };
        let mut breaker = Breaker::new(config);
        let (mut now_ms, mut tickets) = (0, Vec::new());
        for event in events {
            match event {
                Event::Wait(gap_ms) => now_ms += gap_ms,
                Event::Call => tickets.extend(allowed(breaker.acquire(now_ms, random))),
                Event::Lose(at) if at < tickets.len() => drop(tickets.remove(at)),
                Event::Answer(at, end) if at < tickets.len() => {
                    let end = [CallEnd::Success, CallEnd::Failure, CallEnd::Ignored][end as usize];
                    breaker.record(tickets.remove(at), end, 1, now_ms, random);
                }
                Event::Command(phase) => {
                    use BreakerPhase::{Closed, HalfOpen, Open, Ramp};
                    breaker.command([Closed, Open, HalfOpen, Ramp].get(phase as usize).copied(), now_ms);
                }
                Event::Lose(_) | Event::Answer(..) => {}
            }
        }
        breaker.command(None, now_ms);
        for _ in 0..4 {
            let bound_ms = now_ms + u64::from(config.open_max_ms) * 1500 / 1000 + u64::from(config.probe_timeout_ms);
            let let_through = (now_ms..=bound_ms + 200).step_by(100).find(|at_ms| {
                allowed(breaker.acquire(*at_ms, 0)).is_some()
            });
            prop_assert!(let_through.is_some(), "{:?} at {now_ms}", breaker.phase(now_ms));
            now_ms = bound_ms + 200;
        }
    }

    #[test]
    fn no_more_probes_than_configured_are_ever_under_way(calls in 1usize..50, probes in 1u32..6) {
        let mut breaker = Breaker::new(BreakerConfig { probes, consecutive_failures: 1, ..config() });
        calls_once(&mut breaker);
        let through = (0..calls).filter(|_| allowed(breaker.acquire(1000, 0)).is_some()).count();
        prop_assert_eq!(through, calls.min(probes as usize));
    }
}

#[test]
fn while_a_command_holds_it_half_open_one_instance_of_the_fleet_probes_at_a_time() {
    let mut fleet: Vec<Breaker> = (0..40)
        .map(|place| {
            let mut breaker = Breaker::new(config());
            breaker.set_turn(Some(Turn { place, places: 100, slot_ms: 100 }));
            breaker.command(Some(BreakerPhase::HalfOpen), 0);
            breaker
        })
        .collect();
    let (mut probes, mut waits) = (vec![0; 40], Vec::new());
    for now_ms in (0..20_000).step_by(10) {
        let permits: Vec<Permit> = fleet.iter_mut().map(|breaker| breaker.acquire(now_ms, 0)).collect();
        let through = permits.iter().filter(|permit| matches!(permit, Permit::Allowed(_))).count();
        assert!(through <= 1, "{through} at {now_ms}");
        for (place, permit) in permits.into_iter().enumerate() {
            match permit {
                Permit::Allowed(_) => probes[place] += 1,
                Permit::Refused { retry_after_ms, .. } => waits.push(retry_after_ms),
            }
        }
    }
    assert!(
        probes.iter().all(|probes| *probes == 2),
        "each once in ten seconds, though no probe was answered: {probes:?}"
    );
    assert!(waits.iter().all(|wait_ms| *wait_ms <= 10_000));
}

fn calls_once(breaker: &mut Breaker) {
    calls(breaker, &[CallEnd::Failure], 0);
}
