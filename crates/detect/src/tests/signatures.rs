//! Each signature fires on the collapse and stays silent on what only looks like one.

use super::fleet::{Fleet, Second, healthy};
use model::{FindingState, NameId, Signature};

/// Pay serves 60 of 100 first attempts, everything times out, clients try three times, most work is wasted.
fn collapse(step: u64) -> (Second, Second) {
    let gap_ms = (200 + 100 * step).min(950);
    let pay = Second {
        first: 100,
        calls: 290,
        errors: 0,
        timeouts: 270,
        client_ms: 1000,
        gap_ms,
        own_ms: 12,
        completed: 60,
        wasted: 55,
    };
    let shop = Second { errors: 90, client_ms: 3000, ..healthy(100) };
    (shop, pay)
}

fn opened(fleet: &Fleet, signature: Signature) -> usize {
    fleet.told.iter().filter(|f| f.signature == signature && f.state == FindingState::Opened).count()
}

fn collapsed() -> Fleet {
    let mut fleet = Fleet::warm(100);
    for step in 0..20 {
        let (shop, pay) = collapse(step);
        fleet.second(shop, pay);
    }
    fleet
}

#[test]
fn the_collapse_is_found_with_its_origin_its_evidence_and_its_traces() {
    let fleet = collapsed();
    assert_eq!(opened(&fleet, Signature::Metastable), 1, "{:#?}", fleet.told);
    let open = fleet.detector.open();
    let finding = open.iter().find(|f| f.signature == Signature::Metastable).expect("still open");
    assert_eq!((finding.subject.as_str(), finding.origin.as_deref()), ("pay", Some("pay")));
    assert_eq!(finding.affected, ["pay", "shop", "web"]);
    assert!(finding.confidence > 0.8 && finding.coverage > 0.9, "{finding:?}");
    assert!(finding.evidence.iter().any(|e| e.fact == "offered_rps" && e.value > e.limit && !e.exemplars.is_empty()));
    assert!(!finding.predicts.is_empty() && finding.since_ms < finding.at_ms);
}

#[test]
fn retries_and_the_front_are_found_in_the_collapse_too() {
    let fleet = collapsed();
    assert_eq!(opened(&fleet, Signature::RetryAmplification), 1, "{:#?}", fleet.told);
    assert_eq!(opened(&fleet, Signature::DeviationFront), 1);
    let open = fleet.detector.open();
    let front = open.iter().find(|f| f.signature == Signature::DeviationFront).expect("open");
    assert_eq!(front.origin.as_deref(), Some("pay"), "the deepest deviating service that no callee explains");
}

#[test]
fn a_finding_survives_a_short_gap_and_closes_after_a_long_one() {
    let mut fleet = collapsed();
    let before = fleet.told.len();
    fleet.second(healthy(100), healthy(100));
    let (shop, pay) = collapse(20);
    fleet.second(shop, pay);
    assert!(fleet.told[before..].iter().all(|f| f.state == FindingState::Changed));
    (0..60).for_each(|_| fleet.second(healthy(100), healthy(100)));
    assert!(fleet.detector.open().is_empty(), "{:?}", fleet.detector.open());
    let ids = |state| fleet.told.iter().filter(|f| f.state == state).map(|f| f.id.clone()).collect::<Vec<_>>();
    let (mut opened, mut closed) = (ids(FindingState::Opened), ids(FindingState::Closed));
    opened.sort();
    closed.sort();
    assert_eq!(opened, closed, "each finding opens once and closes once");
}

#[test]
fn thin_telemetry_opens_nothing() {
    let mut fleet = Fleet::warm(100);
    fleet.completeness = 300;
    for step in 0..20 {
        let (shop, pay) = collapse(step);
        fleet.second(shop, pay);
    }
    assert_eq!(fleet.told, vec![]);
}

#[test]
fn a_biased_edge_opens_nothing_on_its_callee() {
    let mut fleet = Fleet::warm(100);
    fleet.biased = vec!["pay", "shop"];
    for step in 0..20 {
        let (shop, pay) = collapse(step);
        fleet.second(shop, pay);
    }
    assert_eq!(fleet.told, vec![]);
}

#[test]
fn nothing_is_learned_of_what_is_affected() {
    let fleet = collapsed();
    let unhealthy = fleet.detector.unhealthy();
    assert!(["web", "shop", "pay"].iter().all(|name| unhealthy.contains(&NameId::of(name))));
}

/// Runs a benign story and expects silence.
fn is_silent(rate: u64, story: impl Fn(u64) -> (Second, Second)) {
    let mut fleet = Fleet::warm(rate);
    for step in 0..40 {
        let (shop, pay) = story(step);
        fleet.second(shop, pay);
    }
    assert_eq!(fleet.told, vec![]);
}

#[test]
fn an_error_burst_that_heals_is_silent() {
    is_silent(100, |step| {
        let errors = if step < 8 { 40 } else { 0 };
        (Second { errors, ..healthy(100) }, Second { errors, calls: 100 + errors, ..healthy(100) })
    });
}

#[test]
fn a_surge_within_capacity_is_silent() {
    is_silent(100, |step| {
        let rate = if step < 20 { 200 } else { 100 };
        (Second { client_ms: 13, ..healthy(rate) }, Second { client_ms: 13, ..healthy(rate) })
    });
}

#[test]
fn an_n_plus_one_loop_is_silent() {
    is_silent(100, |_| (Second { client_ms: 60, ..healthy(100) }, healthy(1000)));
}

#[test]
fn a_service_whose_own_work_is_slow_is_the_origin_of_the_front_to_its_callers() {
    let mut fleet = Fleet::warm(100);
    (0..10).for_each(|_| {
        let slow = Second { client_ms: 400, own_ms: 390, ..healthy(100) };
        fleet.second(Second { client_ms: 400, ..healthy(100) }, slow);
    });
    assert_eq!(opened(&fleet, Signature::DeviationFront), 1, "{:#?}", fleet.told);
    assert_eq!(fleet.detector.open()[0].origin.as_deref(), Some("pay"));
    assert_eq!(opened(&fleet, Signature::Metastable), 0, "slow is not metastable");
}

#[test]
fn a_slow_batch_job_that_nobody_waits_for_is_silent() {
    // Pay's own work grows, its callers send and forget: their calls and they themselves are as quick as ever.
    is_silent(100, |_| (healthy(100), Second { own_ms: 400, ..healthy(100) }));
}

#[test]
fn low_traffic_noise_is_silent() {
    is_silent(2, |step| {
        let errors = u64::from(step % 19 == 0);
        (healthy(2), Second { errors, client_ms: 10 + step % 4, ..healthy(2) })
    });
}

#[test]
fn demand_that_is_back_while_goodput_is_not_is_found() {
    let mut fleet = Fleet::warm(100);
    (0..20).for_each(|_| fleet.second(Second { errors: 180, ..healthy(200) }, healthy(100)));
    (0..70).for_each(|_| fleet.second(Second { errors: 70, ..healthy(80) }, healthy(80)));
    assert_eq!(opened(&fleet, Signature::Hysteresis), 1, "{:#?}", fleet.told);
}
