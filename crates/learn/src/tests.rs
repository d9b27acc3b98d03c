//! Learning under made-up traffic.

use crate::capacity::Load;
use crate::{Baseline, BaselineConfig, Capacity, CapacityConfig, Health, LearnConfig, Learner, Signal, Subject};
use model::{Count, EdgeId, EdgeKey, EdgeRow, Failure, GuardReport, NameId, Rollup, SparseHistogram};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn config(signal: Signal) -> BaselineConfig {
    LearnConfig::default().baseline(signal)
}

fn edge_window(at: u64, calls: u64, failed: u64, latency_us: u64) -> (EdgeId, Rollup<'static>) {
    let id = EdgeId { caller: NameId::of("web"), callee: NameId::of("pay") };
    let mut row = EdgeRow {
        key: EdgeKey { caller: id.caller, callee: id.callee, ..EdgeKey::default() },
        calls: Count::of(calls),
        first_attempts: Count::of(calls),
        client: SparseHistogram::from_pairs(vec![(latency_us, Count::of(calls))]),
        ..EdgeRow::default()
    };
    row.failures[Failure::Error.index()] = Count::of(failed);
    let rollup = Rollup {
        end_ns: at * 1_000_000_000,
        width_ns: 1_000_000_000,
        edges: [(id, row.into())].into(),
        ..Rollup::default()
    };
    (id, rollup)
}

#[test]
fn nothing_is_known_during_warm_up_and_a_limit_lies_above_normal_after_it() {
    let mut learner = Learner::default();
    for at in 1..=40 {
        let (id, rollup) = edge_window(at, 100, 0, 10_000 + at % 3 * 200);
        let known = learner.threshold(Subject::Edge(id), Signal::LatencyP99).and_then(|t| t.limit);
        assert_eq!(known.is_some(), at > 20, "second {at}");
        learner.observe(&rollup, &BTreeSet::new());
    }
    let (id, slow) = edge_window(41, 100, 0, 80_000);
    learner.observe(&slow, &BTreeSet::new());
    let deviation = learner.deviation(Subject::Edge(id), Signal::LatencyP99).expect("known");
    assert!(deviation.is_deviating() && deviation.z > 4.0 && deviation.threshold.frozen, "{deviation:?}");
    assert_eq!(learner.deviations().len(), 1);
}

#[test]
fn an_heir_knows_what_was_normal_less_surely_and_grows_sure_again() {
    let mut learner = Learner::default();
    let (old, _) = edge_window(1, 1, 0, 1);
    let young = EdgeId { callee: NameId::of("pay-v2"), ..old };
    for at in 1..=40 {
        let (_, rollup) = edge_window(at, 100, 0, 10_000 + at % 3 * 200);
        learner.observe(&rollup, &BTreeSet::new());
    }
    let latency = |learner: &Learner, id| learner.threshold(Subject::Edge(id), Signal::LatencyP99).expect("known");
    assert!(learner.inherit(Subject::Edge(old), Subject::Edge(young)));
    assert!(!learner.inherit(Subject::Edge(old), Subject::Edge(young)), "it knows something now");
    assert!(!learner.inherit(Subject::Edge(EdgeId { callee: NameId::of("x"), ..old }), Subject::Edge(young)));
    let (before, after) = (latency(&learner, old), latency(&learner, young));
    assert_eq!(before.normal, after.normal);
    assert!(after.limit > before.limit, "{after:?} {before:?}");
    learner.widen(Subject::Edge(old));
    assert_eq!(latency(&learner, old).limit, after.limit, "a new version of the same makes it as unsure");
    for at in 41..=400 {
        let (_, rollup) = edge_window(at, 100, 0, 10_000 + at % 3 * 200);
        learner.observe(&rollup, &BTreeSet::new());
    }
    assert!(latency(&learner, old).limit < after.limit);
}

#[test]
fn one_failure_on_a_quiet_edge_is_no_deviation() {
    let mut learner = Learner::default();
    for at in 1..=2_000 {
        let (_, rollup) = edge_window(at, 1, u64::from(at % 400 == 0), 10_000 + at % 7 * 1_000);
        learner.observe(&rollup, &BTreeSet::new());
        assert_eq!(learner.deviations(), vec![], "second {at}");
    }
}

#[test]
fn a_steady_healthy_new_level_is_taken_over_only_after_a_long_freeze() {
    let config = BaselineConfig { reprobe_after: 50, ..config(Signal::LatencyP99) };
    let mut baseline = Baseline::default();
    for _ in 0..40 {
        baseline.offer(&config, 10.0, 0.0, Health::Healthy, 0.0);
    }
    let limit = baseline.limit(&config, 0.0);
    for _ in 0..49 {
        baseline.offer(&config, 40.0, 0.0, Health::Healthy, 0.0);
        assert_eq!(baseline.limit(&config, 0.0), limit);
    }
    baseline.offer(&config, 40.0, 0.0, Health::Healthy, 0.0);
    assert!((baseline.normal(&config).expect("known") - 40.0).abs() < 0.1);
    // A level beyond what is healthy by the cap is never taken over.
    for _ in 0..500 {
        baseline.offer(&config, 70_000.0, 0.0, Health::Healthy, 0.0);
    }
    assert!((baseline.normal(&config).expect("known") - 40.0).abs() < 0.1);
}

/// A first-in-first-out server: offered, capacity → completed and the delay of its queue.
fn serve(
    capacity: &mut Capacity,
    offered: impl Fn(u64) -> f64,
    rate: f64,
    seconds: std::ops::Range<u64>,
    queue: &mut f64,
) {
    for at in seconds {
        *queue += offered(at);
        let completed_rps = queue.min(rate);
        *queue -= completed_rps;
        let delay_ms = Some(*queue / rate * 1000.0);
        let load = Load { end_ms: at * 1000, completed_rps, offered_rps: offered(at), delay_ms, limit_ms: 10.0 };
        capacity.observe(&CapacityConfig::default(), load);
    }
}

#[test]
fn capacity_is_unknown_until_a_queue_grows_and_then_what_the_server_completes() {
    let (mut capacity, mut queue) = (Capacity::default(), 0.0);
    serve(&mut capacity, |_| 90.0, 100.0, 0..60, &mut queue);
    assert_eq!(capacity.rps(), None, "a peak that was served says nothing");
    serve(&mut capacity, |_| 130.0, 100.0, 60..75, &mut queue);
    let known = capacity.rps().expect("saturated");
    assert!(known.low <= 100.0 && known.high >= 100.0 && known.low > 85.0 && known.high < 115.0, "{known:?}");
}

#[test]
fn a_changed_capacity_is_believed_only_after_several_windows() {
    let (mut capacity, mut queue) = (Capacity::default(), 0.0);
    serve(&mut capacity, |_| 130.0, 100.0, 0..20, &mut queue);
    let before = capacity.rps();
    serve(&mut capacity, |_| 130.0, 40.0, 20..22, &mut queue);
    assert_eq!(capacity.rps(), before);
    serve(&mut capacity, |_| 130.0, 40.0, 22..30, &mut queue);
    assert!(capacity.rps().expect("saturated").high < 60.0);
}

#[test]
fn a_guard_that_is_not_full_overrules_what_spans_suggest() {
    let (mut capacity, mut queue) = (Capacity::default(), 0.0);
    let config = CapacityConfig::default();
    for at in 0..20u64 {
        let report = GuardReport {
            instance: "a".into(),
            at_ms: at * 1000,
            workers: 8,
            in_flight: 2,
            completed: 50,
            ..GuardReport::default()
        };
        capacity.report(&config, &report);
        serve(&mut capacity, |_| 130.0, 100.0, at..at + 1, &mut queue);
    }
    assert_eq!(capacity.rps(), None);
    for at in 20..26u64 {
        let report = GuardReport {
            instance: "a".into(),
            at_ms: at * 1000,
            workers: 8,
            in_flight: 8,
            queued: 5,
            completed: 70,
            ..GuardReport::default()
        };
        capacity.report(&config, &report);
        serve(&mut capacity, |_| 130.0, 100.0, at..at + 1, &mut queue);
    }
    let known = capacity.rps().expect("full guards");
    assert!(known.low <= 70.0 && known.high >= 70.0 && known.high < 85.0, "{known:?}");
}

proptest! {
    #[test]
    fn a_threshold_never_learns_while_frozen(values in prop::collection::vec(0.0f64..1e6, 1..300)) {
        let config = config(Signal::LatencyP99);
        let mut baseline = Baseline::default();
        for at in 0..40 {
            baseline.offer(&config, 10.0 + f64::from(at % 3), 0.0, Health::Healthy, 0.0);
        }
        let (normal, limit) = (baseline.normal(&config), baseline.limit(&config, 0.0));
        for value in values {
            baseline.offer(&config, value, 0.0, Health::Unhealthy, 0.0);
            prop_assert_eq!(baseline.normal(&config), normal);
            prop_assert_eq!(baseline.limit(&config, 0.0), limit);
        }
    }

    #[test]
    fn no_value_makes_a_threshold_that_is_not_a_number(values in prop::collection::vec(any::<f64>(), 1..200)) {
        for signal in [Signal::ErrorShare, Signal::LatencyP99, Signal::Amplification, Signal::QueueDelay] {
            let config = config(signal);
            let mut baseline = Baseline::default();
            for value in &values {
                let z = baseline.offer(&config, *value, 0.1, Health::Healthy, 0.5);
                prop_assert!(z.is_none_or(f64::is_finite));
                prop_assert!(baseline.limit(&config, 0.1).is_none_or(f64::is_finite));
                prop_assert!(baseline.normal(&config).is_none_or(f64::is_finite));
            }
        }
    }
}
