//! Made-up incidents whose origin is known.

use crate::origin::{ABSTAIN_BELOW, Profile, rank};
use graph::Graph;
use model::{
    Count, EdgeKey, EdgeRow, Failure, LocalRow, NameId, Named, Rollup, ServiceKey, ServiceRow, SparseHistogram, Window,
};

const NAMES: [&str; 6] = ["a", "b", "c", "op", "step", "oops.error"];

fn id(name: &str) -> NameId {
    NameId::of(name)
}

fn ms(values: &[u64], calls: u64) -> SparseHistogram {
    SparseHistogram::from_pairs(
        values.iter().map(|value| (value * 1000, Count::of(calls / values.len() as u64))).collect(),
    )
}

/// a → b → c, 100 requests each.
fn normal() -> Window {
    let mut window = Window { end_ns: 1_000_000_000, width_ns: 1_000_000_000, spans: 300, ..Window::default() };
    window.names = NAMES.iter().map(|name| Named::of(name)).collect();
    for name in ["a", "b", "c"] {
        window.services.push(ServiceRow {
            key: ServiceKey { service: id(name), operation: id("op"), ..ServiceKey::default() },
            calls: Count::of(100),
            entries: Count::of(if name == "a" { 100 } else { 0 }),
            exclusive: ms(&[9, 10, 11, 12], 100),
            ..ServiceRow::default()
        });
        window.local.push(LocalRow {
            service: id(name),
            operation: id("step"),
            calls: Count::of(100),
            ..LocalRow::default()
        });
    }
    for (caller, callee) in [("a", "b"), ("b", "c")] {
        window.edges.push(EdgeRow {
            key: EdgeKey {
                caller: id(caller),
                caller_operation: id("op"),
                callee: id(callee),
                callee_operation: id("op"),
                ..EdgeKey::default()
            },
            calls: Count::of(100),
            gap: ms(&[1, 2, 3, 4], 100),
            ..EdgeRow::default()
        });
    }
    window
}

/// The ranking of names, and the first one's confidence and reason.
fn ranked(change: impl Fn(&mut Window)) -> (Vec<String>, f64, String) {
    let (before, mut now) = (normal(), normal());
    change(&mut now);
    let (mut baseline, mut incident, mut graph) = (Profile::default(), Profile::default(), Graph::default());
    for window in [&before, &now] {
        graph.apply(window, &Rollup::of(window));
    }
    (0..5).for_each(|_| baseline.add(&before));
    incident.add(&now);
    let ranked = rank(&baseline, &incident, &graph);
    assert!(ranked.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert!(ranked.iter().all(|one| one.score.is_finite() && (0.0..=1.0).contains(&one.confidence)));
    let first = ranked.first().map_or((0.0, String::new()), |one| (one.confidence, one.why.join("; ")));
    (ranked.iter().map(|one| graph.name(one.service)).collect(), first.0, first.1)
}

#[test]
fn nothing_differs_and_nothing_is_ranked() {
    assert_eq!(ranked(|_| ()).0, Vec::<String>::new());
}

#[test]
fn own_time_names_the_slow_service() {
    let (names, confidence, why) = ranked(|now| now.services[1].exclusive = ms(&[90, 100, 110, 120], 100));
    assert_eq!(names[0], "b");
    assert!(confidence > 0.7 && why.contains("of its own"), "{confidence} {why}");
}

#[test]
fn a_slow_network_is_blamed_on_the_callee_that_the_calls_share() {
    let (names, _, why) = ranked(|now| now.edges[1].gap = ms(&[200, 210], 100));
    assert_eq!(names[0], "c");
    assert!(why.contains("more than the server takes"), "{why}");
}

#[test]
fn an_error_inside_the_deepest_service_explains_its_failing_callers() {
    let (names, confidence, why) = ranked(|now| {
        now.local[2].failed = Count::of(60);
        now.services[0].failures[Failure::Error.index()] = Count::of(90);
        now.services[1].failures[Failure::Error.index()] = Count::of(90);
    });
    assert_eq!(names[0], "c");
    assert!(confidence > 0.7 && why.contains("fails 60 of 100"), "{confidence} {why}");
}

#[test]
fn a_service_that_no_longer_calls_is_named() {
    let (names, _, why) = ranked(|now| {
        now.edges[1].calls = Count::of(20);
        now.services[2].calls = Count::of(20);
    });
    assert_eq!(names[0], "b");
    assert!(why.contains("calls to c per request"), "{why}");
}

#[test]
fn calls_whose_operation_was_not_known_in_time_are_not_missing() {
    let (names, ..) = ranked(|now| now.edges[1].key.caller_operation = NameId::NONE);
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn an_error_handler_that_was_never_seen_counts_as_failing() {
    let row = LocalRow { service: id("b"), operation: id("oops.error"), calls: Count::of(50), ..LocalRow::default() };
    let (names, _, why) = ranked(|now| now.local.push(row.clone()));
    assert_eq!(names[0], "b");
    assert!(why.contains("appears"), "{why}");
}

#[test]
fn a_shift_within_the_usual_spread_leaves_the_verdict_open() {
    let (_, confidence, _) = ranked(|now| now.services[1].exclusive = ms(&[9, 10, 12, 12], 100));
    assert!(confidence < ABSTAIN_BELOW, "{confidence}");
}
