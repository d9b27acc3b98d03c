//! Promise: however many come and go at once, never more than the limit are worked on, nobody waits for a place that is
//! free, and every place comes back.
#![allow(clippy::unwrap_used)] // that is how tests fail

mod common;

use common::{command, record, settings};
use guard::{Clock, Guard, LimitSettings, Request};
use model::{Criticality, Knob, Setting, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_lost_and_the_limit_holds_under_many_threads() {
    let mut settings = settings(3);
    settings.server.queue_bound_ms = Some(600_000);
    let guard = Guard::new(settings, Clock::system()).unwrap();
    let (working, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let tasks: Vec<_> = (0..2000u32)
        .map(|n| {
            let (guard, working, most) = (guard.clone(), working.clone(), most.clone());
            tokio::spawn(async move {
                let criticality = Criticality::ALL[(n % 4) as usize];
                let request = Request { criticality, ..Request::default() };
                let admit = guard.admit(&request);
                // every seventh client loses its patience at once
                let permit = if n.is_multiple_of(7) {
                    match tokio::time::timeout(Duration::from_micros(u64::from(n % 50)), admit).await {
                        Ok(permit) => permit.unwrap(),
                        Err(_) => return,
                    }
                } else {
                    admit.await.unwrap()
                };
                let now = working.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                working.fetch_sub(1, Ordering::SeqCst);
                permit.succeed();
            })
        })
        .collect();
    for task in tasks {
        // without a step: no wake-up may depend on the clockwork
        tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .expect("somebody waits for a place that is free")
            .unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?} at once");
    guard.step();
    let report = guard.report();
    assert_eq!((report.in_flight, report.queued), (0, 0));
    let permits: Vec<_> = (0..3).map(|_| guard.try_admit(&Request::default()).unwrap()).collect();
    assert!(guard.try_admit(&Request::default()).is_err(), "three places, and all of them are back");
    drop(permits);
}

#[test]
fn what_is_left_of_the_limit_is_kept_for_the_more_important() {
    let mut settings = settings(10);
    settings.server.class_share_permille = [500, 700, 900, 1000];
    let guard = Guard::new(settings, Clock::manual(1_000_000)).unwrap();
    let mut permits = Vec::new();
    for (criticality, places) in Criticality::ALL.into_iter().zip([5, 2, 2, 1]) {
        let request = Request { criticality, ..Request::default() };
        for _ in 0..places {
            permits.push(guard.try_admit(&request).unwrap());
        }
        assert!(guard.try_admit(&request).is_err(), "{criticality:?} may fill no more");
    }
}

#[test]
fn costly_requests_take_as_many_places_as_they_cost_and_spared_ones_are_never_shed() {
    let mut settings = settings(10);
    settings.server.cost.insert("/export*".into(), 8);
    settings.server.never_shed = vec!["/health".into()];
    settings.server.criticality.insert("/batch".into(), Criticality::Sheddable);
    let guard = Guard::new(settings, Clock::manual(1_000_000)).unwrap();
    let labels = guard::Labels::default();
    let export = guard.try_admit(&guard.request(&labels, "/export/7")).unwrap();
    assert_eq!(guard.report().in_flight, 8);
    assert!(guard.try_admit(&guard.request(&labels, "/export/8")).is_err());
    drop(export);
    let lowest = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 1000 };
    command(&guard, 1, Target::service("cart"), lowest, 60_000);
    let admits = |operation: &str| guard.try_admit(&guard.request(&labels, operation)).is_ok();
    assert_eq!(["/health", "/batch", "/cart"].map(admits), [true, false, false]);
}

#[test]
fn a_lease_that_nobody_renews_ends_on_a_ramp_and_health_says_how_old_the_orders_are() {
    let mut settings = settings(1);
    settings.server.limit = LimitSettings::Off;
    settings.ramp_ms = 1000;
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings, clock.clone()).unwrap();
    let mut events = guard.events();
    command(&guard, 1, Target::service("cart"), Setting::KillSwitch { level: 4 }, 5000);
    assert!(guard.allows(5) && !guard.allows(4) && guard.allows(0));
    clock.advance_ms(4999);
    guard.step();
    let health = guard.health();
    assert_eq!((health.kill_level, health.orders[0].ends_in_ms, health.orders_age_ms), (4, 1, Some(4999)));
    let mut levels = Vec::new();
    for _ in 0..40 {
        clock.advance_ms(50);
        guard.step();
        levels.push(guard.kill_level());
    }
    levels.dedup();
    assert_eq!(levels, [4, 3, 2, 1, 0], "step by step");
    assert!(!guard.health().commanded && guard.health().orders.is_empty());
    let told: Vec<String> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| format!("{event:?}")).collect();
    assert!(told.iter().any(|event| event.contains("KillLevel { level: 0 }")), "{told:?}");
    assert!(guard.metrics().contains("stopbank_guard_kill_level 0\n"));
}

#[test]
fn the_adaptive_limit_follows_the_latency_that_the_guard_measures() {
    let mut settings = settings(1);
    settings.server.limit = LimitSettings::Adaptive { initial: 40, min: 4, max: 100 };
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings, clock.clone()).unwrap();
    let limit = || guard.table().in_flight_max[3];
    // as many at once as are let in, each step
    let run = |took_ms: u64, steps: usize| {
        for _ in 0..steps {
            let permits: Vec<_> = std::iter::from_fn(|| guard.try_admit(&Request::default()).ok()).collect();
            clock.advance_ms(took_ms);
            permits.into_iter().for_each(|permit| permit.succeed());
            guard.step();
        }
        limit()
    };
    let calm = run(10, 50);
    assert!(calm > 40, "it grows while latency is that of calm: {calm}");
    let busy = run(100, 20);
    assert!(busy < calm / 2, "it falls when work takes ten times as long: {busy}");
    command(&guard, 1, Target::service("cart"), Setting::Concurrency { limit: 90 }, 60_000);
    assert_eq!(limit(), busy, "and no command lifts it above what it has found");
}

#[test]
fn an_instance_that_is_left_alone_says_how_much_it_takes_and_comes_back_on_a_ramp() {
    let mut settings = settings(1);
    settings.ramp_ms = 1000;
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings, clock.clone()).unwrap();
    assert_eq!(guard.health().takes_permille, 1000);
    assert!(!guard.report().knobs.contains(&Knob::Route), "nobody has said that this moves traffic");
    let drain = Setting::Route { share_permille: 50 };
    let other = Target { instance: Some("another".to_owned()), ..Target::service("cart") };
    guard.offer(&record(1, other, drain, 5000, clock.now_ms()), clock.now_ms());
    assert_eq!(guard.health().takes_permille, 1000, "that one is not meant");
    command(&guard, 2, Target::service("cart"), drain, 5000);
    assert_eq!(guard.health().takes_permille, 50);
    assert!(guard.metrics().contains("stopbank_guard_takes_permille 50\n"));
    let mut taken = Vec::new();
    for _ in 0..160 {
        clock.advance_ms(50);
        guard.step();
        taken.push(guard.health().takes_permille);
    }
    taken.dedup();
    assert!(taken.len() > 5 && taken.is_sorted() && taken.last() == Some(&1000), "{taken:?}");
}

#[test]
fn the_owners_clamps_beat_a_signed_command_and_the_report_says_so() {
    let mut settings = settings(100);
    let text = "[bounds.concurrency]\nstrictest = { limit = 40 }";
    settings.clamps = toml::from_str(text).unwrap();
    let guard = Guard::new(settings, Clock::manual(1_000_000)).unwrap();
    command(&guard, 1, Target::service("cart"), Setting::Concurrency { limit: 1 }, 60_000);
    assert_eq!(guard.table().in_flight_max[3], 40);
    assert_eq!(guard.report().obeyed[0].overridden_by.as_deref(), Some("strictest: concurrency"));
}

#[test]
fn a_key_that_is_withdrawn_ends_what_it_signed() {
    let guard = Guard::new(settings(100), Clock::manual(1_000_000)).unwrap();
    command(&guard, 1, Target::service("cart"), Setting::Concurrency { limit: 7 }, 60_000);
    assert_eq!(guard.table().in_flight_max[3], 7);
    guard.set_keyring(control::Keyring::new());
    assert!(guard.report().obeyed.is_empty());
    let record = common::record(2, Target::service("cart"), Setting::Concurrency { limit: 5 }, 60_000, 1_000_000);
    assert_eq!(guard.offer(&record, 1_000_000), control::Verdict::Dropped(control::Drop::UnknownKey));
}
