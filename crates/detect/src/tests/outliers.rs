//! Which parts of a service are outliers.

use crate::{Detector, Scene};
use graph::Graph;
use learn::Learner;
use model::{
    Count, EdgeKey, EdgeRow, Failure, Finding, FindingState, NameId, Named, Rollup, ServiceKey, ServiceRow, Signature,
    Window,
};

/// One instance in one second: (instance, version, calls, failed, lost).
type Part = (&'static str, &'static str, u64, u64, u64);

/// What is told in so many seconds that are all alike.
fn told(parts: &[Part], seconds: u64) -> Vec<Finding> {
    let seconds: Vec<&[Part]> = (0..seconds).map(|_| parts).collect();
    told_of(&seconds, 1, 0)
}

/// What is told in these seconds, where each span stands for `weight` requests and callers' clocks are wrong by `skew_ms`.
fn told_of(seconds: &[&[Part]], weight: u64, skew_ms: u64) -> Vec<Finding> {
    let (mut graph, mut learner, mut detector) = (Graph::default(), Learner::default(), Detector::default());
    let mut told = Vec::new();
    for (second, parts) in (1..).zip(seconds) {
        let names = parts.iter().flat_map(|part| [part.0, part.1]).chain(["cart"]).map(Named::of).collect();
        let mut window = Window {
            end_ns: second * 1_000_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: 1000,
            names,
            ..Window::default()
        };
        for (instance, version, calls, failed, lost) in *parts {
            let key = ServiceKey {
                service: NameId::of("cart"),
                instance: NameId::of(instance),
                version: NameId::of(version),
                ..ServiceKey::default()
            };
            let count = |spans: u64| Count::of(spans * weight);
            let mut row =
                ServiceRow { key, calls: count(*calls), lost: count(*lost), spans: *calls, ..ServiceRow::default() };
            row.failures[Failure::Error.index()] = count(*failed);
            window.services.push(row);
        }
        let key = EdgeKey { caller: NameId::of("web"), callee: NameId::of("cart"), ..EdgeKey::default() };
        window.edges.push(EdgeRow { key, calls: Count::of(100), ahead_us: skew_ms * 1000, ..EdgeRow::default() });
        let rollup = Rollup::of(&window);
        graph.apply(&window, &rollup);
        learner.observe(&rollup, &detector.unhealthy());
        let scene =
            Scene { domain: "test", window: &window, rollup: &rollup, graph: &graph, learner: &learner, now_ms: 0 };
        told.extend(detector.step(&scene));
    }
    told.retain(|finding| finding.state == FindingState::Opened && finding.signature == Signature::Outlier);
    told
}

fn subjects(parts: &[Part]) -> Vec<String> {
    told(parts, 10).into_iter().map(|finding| finding.subject).collect()
}

#[test]
fn an_instance_whose_answers_are_lost_is_told_apart_from_its_peers() {
    let found = told(&[("cart-1", "v1", 100, 1, 0), ("cart-2", "v1", 100, 1, 80), ("cart-3", "v1", 100, 0, 1)], 3);
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.subject.as_str(), finding.origin.as_deref()), ("cart@instance=cart-2", Some("cart")));
    assert!(finding.confidence > 0.9 && finding.summary.contains("do not arrive"), "{finding:#?}");
    assert!(finding.evidence.iter().any(|fact| fact.fact == "failed_share" && fact.value > fact.limit));
}

#[test]
fn a_version_is_blamed_before_its_instances() {
    let parts = [("cart-1", "v1", 100, 0, 0), ("cart-2", "v2", 90, 40, 0), ("cart-3", "v2", 110, 70, 0)];
    assert_eq!(subjects(&parts), ["cart@version=v2"]);
}

#[test]
fn what_hits_all_alike_and_what_may_be_chance_is_no_outlier() {
    let alike = [("cart-1", "v1", 100, 50, 0), ("cart-2", "v1", 100, 60, 0)];
    assert_eq!(subjects(&alike), [""; 0]);
    let few = [("cart-1", "v1", 100, 0, 0), ("cart-2", "v1", 1, 1, 0)];
    assert_eq!(subjects(&few), [""; 0], "it is asked too seldom");
    let little = [("cart-1", "v1", 100, 0, 0), ("cart-2", "v1", 100, 5, 0)];
    assert_eq!(subjects(&little), [""; 0], "that is not worth a command");
    assert_eq!(subjects(&[("cart-1", "v1", 100, 90, 0)]), [""; 0], "it has no peers");
}

#[test]
fn only_those_who_are_asked_at_the_same_time_are_peers() {
    let before: &[Part] = &[("cart-1", "v1", 100, 0, 0), ("cart-2", "v1", 100, 0, 0)];
    let after: &[Part] = &[("cart-3", "v2", 100, 80, 0), ("cart-4", "v2", 100, 80, 0)];
    let between: &[Part] = &[before[0], before[1], after[0], after[1]];
    let all_at_once = [before, before, before, before, between, after, after, after, after];
    assert_eq!(told_of(&all_at_once, 1, 0), [], "a deployment that replaced all, and then all fail");
    let rolling = [before, before, before, before, between, between, between, between];
    let found: Vec<_> = told_of(&rolling, 1, 0).into_iter().map(|finding| finding.subject).collect();
    assert_eq!(found, ["cart@version=v2"]);
}

#[test]
fn an_instance_whose_name_is_made_up_for_each_record_is_nobody() {
    let names = ["ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du"];
    let seconds: Vec<[Part; 2]> =
        names.iter().map(|name| [("cart-1", "v1", 100, 0, 0), (*name, "v1", 100, 90, 0)]).collect();
    let seconds: Vec<&[Part]> = seconds.iter().map(|parts| &parts[..]).collect();
    assert_eq!(told_of(&seconds, 1, 0), []);
}

#[test]
fn who_is_two_seconds_ahead_of_its_peers_is_told_only_where_clocks_agree() {
    let well: &[Part] = &[("cart-1", "v1", 100, 0, 0), ("cart-2", "v1", 100, 0, 0)];
    let first: &[Part] = &[("cart-1", "v1", 100, 80, 0), ("cart-2", "v1", 100, 0, 0)];
    let both: &[Part] = &[("cart-1", "v1", 100, 80, 0), ("cart-2", "v1", 100, 80, 0)];
    let seconds = [well, well, well, well, first, first, both, both, both, both, both, both, both];
    assert_eq!(told_of(&seconds, 1, 0).len(), 1);
    assert_eq!(told_of(&seconds, 1, 2_000), []);
    let lasting: Vec<&[Part]> = (0..12).map(|_| first).collect();
    assert_eq!(told_of(&lasting, 1, 2_000).len(), 1, "it is told later, not never");
}

#[test]
fn what_a_span_stands_for_makes_it_no_surer() {
    let few: &[Part] = &[("cart-1", "v1", 4, 1, 0), ("cart-2", "v1", 4, 0, 0)];
    let seconds: Vec<&[Part]> = (0..8).map(|_| few).collect();
    assert_eq!(told_of(&seconds, 100, 0), [], "a handful of sampled spans");
    let many: &[Part] = &[("cart-1", "v1", 100, 25, 0), ("cart-2", "v1", 100, 0, 0)];
    let seconds: Vec<&[Part]> = (0..8).map(|_| many).collect();
    assert_eq!(told_of(&seconds, 100, 0).len(), 1);
}
