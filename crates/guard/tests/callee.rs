//! Promise: a client does not add to a callee's trouble: it leaves a refusing callee alone, shrinks its retries to the
//! callee's headroom, hedges in calm only, and takes turns when the fleet probes.
#![allow(clippy::unwrap_used)] // that is how tests fail

mod common;

use common::{command, settings};
use guard::{
    BreakerConfig, BreakerMode, BreakerWindow, Callee, ClientGuardLayer, Clock, End, Event, Guard, GuardLayer, Labels,
    OpenReason, Retry, Stopped,
};
use http::{Request, Response};
use model::{BreakerPhase, Setting, Target};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// Makes calls that end so; gives how many were made.
fn calls(callee: &Callee, count: usize, end: End) -> usize {
    let made = (0..count).filter_map(|_| callee.call(Labels::default()).attempt().ok().map(|attempt| attempt.end(end)));
    made.count()
}

#[test]
fn a_callee_that_refuses_is_left_alone_without_opening_the_breaker() {
    let guard = Guard::new(settings(10), Clock::manual(1_000_000)).unwrap();
    let callee = guard.callee("stock");
    let made = calls(&callee, 1000, End::Refused(Retry::Never));
    assert!((20..200).contains(&made), "{made} of 1000");
    assert_eq!((callee.state().phase, callee.state().health.calls), (BreakerPhase::Closed, 0), "no sign of ill health");
    let stopped = (0..50).find_map(|_| callee.call(Labels::default()).attempt().err()).unwrap();
    assert!(matches!(stopped, Stopped::Throttled { refused_permille } if refused_permille > 800), "{stopped}");
}

#[test]
fn a_breaker_tells_its_phases_as_events_and_metrics_and_its_reason_to_the_caller() {
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings(10), clock.clone()).unwrap();
    let (callee, mut events) = (guard.callee("stock"), guard.events());
    calls(&callee, 20, End::Failure);
    let stopped = callee.call(Labels::default()).attempt().unwrap_err();
    assert!(stopped.to_string().contains("100.0 % of calls failed"), "{stopped}");
    assert!(guard.metrics().contains("stopbank_guard_breaker_phase{callee=\"stock\",phase=\"open\"} 1\n"));
    let shown = serde_json::to_value(guard.health()).unwrap();
    assert_eq!((&shown["callees"][0]["phase"], &shown["callees"][0]["openings"]), (&"open".into(), &1.into()));
    assert_eq!(guard.report().breakers[0].phase, BreakerPhase::Open);
    // a lost probe wedges nothing: its place is free again when the caller is gone
    clock.advance_ms(2000);
    let probes: Vec<_> = (0..3).map(|_| callee.call(Labels::default()).attempt().unwrap()).collect();
    assert!(callee.call(Labels::default()).attempt().is_err(), "three probes and no more");
    drop(probes);
    assert_eq!(calls(&callee, 3, End::Success), 3);
    assert_eq!(callee.state().phase, BreakerPhase::Ramp);
    let mut phases = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Breaker { phase, .. } = event {
            phases.push(phase);
        }
    }
    assert_eq!(phases, [BreakerPhase::Open, BreakerPhase::HalfOpen, BreakerPhase::Ramp]);
}

#[test]
fn a_threshold_by_command_holds_at_once_keeps_what_was_counted_and_goes_with_its_lease() {
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings(10), clock.clone()).unwrap();
    let callee = guard.callee("stock");
    calls(&callee, 80, End::Success);
    calls(&callee, 20, End::Failure);
    assert_eq!(callee.state().phase, BreakerPhase::Closed, "20 % of failures are fewer than half");
    let threshold = |failure_permille| Setting::BreakerThreshold { failure_permille };
    command(&guard, 1, Target::edge("cart", "stock"), threshold(100), 5000);
    assert_eq!(callee.state().health.calls, 100, "nothing is forgotten");
    calls(&callee, 1, End::Failure);
    assert_eq!(callee.state().phase, BreakerPhase::Open);
    command(&guard, 2, Target::edge("cart", "stock"), threshold(900), 5000);
    clock.advance_ms(30_000);
    guard.step();
    calls(&callee, 3, End::Success);
    clock.advance_ms(30_000);
    calls(&callee, 10, End::Success);
    calls(&callee, 10, End::Failure);
    assert_eq!(callee.state().phase, BreakerPhase::Open, "half, by its own threshold");
}

#[test]
fn each_knob_of_a_callee_walks_back_to_the_owners_value_when_its_lease_ends() {
    let clock = Clock::manual(1_000_000);
    let mut settings = settings(10);
    settings.ramp_ms = 1000;
    settings.client.hedge_after_ms = Some(1);
    let guard = Guard::new(settings, clock.clone()).unwrap();
    let callee = guard.callee("stock");
    let edge = || Target::edge("cart", "stock");
    command(&guard, 1, edge(), Setting::RetryBudget { ratio_permille: 0 }, 5000);
    command(&guard, 2, edge(), Setting::Timeout { timeout_ms: 100 }, 8000);
    let now = || (callee.state().retry_ratio_permille, callee.state().timeout_ms);
    assert_eq!(now(), (0, 100));
    let mut seen = Vec::new();
    for _ in 0..200 {
        clock.advance_ms(50);
        guard.step();
        seen.push(now());
    }
    assert_eq!((seen[98], seen[199]), ((0, 100), (200, 1000)), "as commanded to the end, then the owner's own");
    let rises = |pick: fn(&(u16, u32)) -> u32| {
        let values: Vec<u32> = seen.iter().map(pick).collect();
        assert!(values.is_sorted(), "{values:?}");
        let steps = values.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(steps > 5, "a ramp and not a jump: {values:?}");
        values.iter().position(|value| *value > values[0]).unwrap()
    };
    let (budget, timeout) = (rises(|(ratio, _)| u32::from(*ratio)), rises(|(_, timeout_ms)| *timeout_ms));
    assert!(budget + 50 < timeout, "each knob at the end of its own lease: {budget}, {timeout}");
}

#[test]
fn the_owner_changes_thresholds_and_mode_while_it_runs_and_nothing_counted_is_lost() {
    let guard = Guard::new(settings(10), Clock::manual(1_000_000)).unwrap();
    let callee = guard.callee("stock");
    calls(&callee, 30, End::Success);
    calls(&callee, 10, End::Failure);
    let own = guard.settings().client.breaker;
    callee.set_breaker(BreakerConfig { window: BreakerWindow::Ms(10_000), ..own });
    assert_eq!((callee.state().phase, callee.state().health.calls), (BreakerPhase::Closed, 40));
    callee.set_breaker(BreakerConfig { mode: BreakerMode::ForcedOpen, ..own });
    let stopped = callee.call(Labels::default()).attempt().unwrap_err();
    assert!(matches!(stopped, Stopped::Breaker { reason: OpenReason::Forced, .. }), "{stopped}");
    assert!(guard.metrics().contains("stopbank_guard_stopped_total{callee=\"stock\",reason=\"breaker\"} 1\n"));
    command(&guard, 1, Target::edge("cart", "stock"), Setting::BreakerThreshold { failure_permille: 200 }, 60_000);
    callee.set_breaker(BreakerConfig { failure_permille: 900, ..own });
    assert_eq!(callee.state().health.calls, 40);
    calls(&callee, 1, End::Failure);
    assert_eq!(
        callee.state().phase,
        BreakerPhase::Open,
        "what is commanded is stricter than the owner's new threshold"
    );
}

#[test]
fn while_the_fleet_probes_an_instance_waits_for_its_turn() {
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings(10), clock.clone()).unwrap();
    command(&guard, 1, Target::edge("cart", "stock"), Setting::Breaker { phase: BreakerPhase::HalfOpen }, 60_000);
    let callee = guard.callee("stock");
    let made: usize = (0..1000)
        .map(|_| {
            clock.advance_ms(20);
            calls(&callee, 1, End::Success)
        })
        .sum();
    assert_eq!(made, 2, "twice in twenty seconds");
}

#[tokio::test]
async fn a_busy_callee_shrinks_the_callers_retry_budget_through_its_answers() {
    let caller = Guard::new(settings(10), Clock::system()).unwrap();
    let served = Guard::new(settings(2), Clock::system()).unwrap();
    let work = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let server = ServiceBuilder::new().layer(GuardLayer::new(served.clone())).service(work);
    let client = ServiceBuilder::new().layer(ClientGuardLayer::new(caller.callee("stock"))).service(server);
    let call = || client.clone().oneshot(Request::get("/").body(String::new()).unwrap());
    let answer = call().await.unwrap();
    assert_eq!(answer.headers()["stopbank-load"], "500", "one of two places");
    assert_eq!(caller.callee("stock").state().retry_ratio_permille, 200);
    let place = served.try_admit(&guard::Request::default()).unwrap();
    for _ in 0..60 {
        call().await.unwrap();
    }
    assert_eq!(caller.callee("stock").state().retry_ratio_permille, 0, "no headroom, no retries");
    drop(place);
}

#[tokio::test]
async fn a_slow_answer_is_hedged_in_calm_and_not_under_stress() {
    let mut settings = settings(10);
    settings.client.hedge_after_ms = Some(20);
    settings.client.retry_reserve_per_s = 100;
    let guard = Guard::new(settings, Clock::system()).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let calls = count.clone();
    // the first of two hangs
    let callee = service_fn(move |_: Request<String>| {
        let hangs = calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        async move {
            tokio::time::sleep(Duration::from_millis(if hangs { 500 } else { 1 })).await;
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let client = ServiceBuilder::new().layer(ClientGuardLayer::new(guard.callee("stock")).retrying()).service(callee);
    let call = || client.clone().oneshot(Request::get("/").body(String::new()).unwrap());
    let begun = Instant::now();
    call().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(400) && count.load(Ordering::SeqCst) == 2, "hedged");
    command(&guard, 1, Target::edge("cart", "stock"), Setting::RetryBudget { ratio_permille: 100 }, 60_000);
    call().await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3, "a command is in force: one try");
}
