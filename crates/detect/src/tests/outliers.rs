//! Which parts of a service are outliers.

use crate::{Detector, Scene};
use graph::Graph;
use learn::Learner;
use model::{Count, Failure, Finding, FindingState, NameId, Named, Rollup, ServiceKey, ServiceRow, Signature, Window};

/// One instance in one second: (instance, version, calls, failed, lost).
type Part = (&'static str, &'static str, u64, u64, u64);

/// What is told in so many seconds that are all alike.
fn told(parts: &[Part], seconds: u64) -> Vec<Finding> {
    let (mut graph, mut learner, mut detector) = (Graph::default(), Learner::default(), Detector::default());
    let mut told = Vec::new();
    for second in 1..=seconds {
        let names = parts.iter().flat_map(|part| [part.0, part.1]).chain(["cart"]).map(Named::of).collect();
        let mut window = Window {
            end_ns: second * 1_000_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: 1000,
            names,
            ..Window::default()
        };
        for (instance, version, calls, failed, lost) in parts {
            let key = ServiceKey {
                service: NameId::of("cart"),
                instance: NameId::of(instance),
                version: NameId::of(version),
                ..ServiceKey::default()
            };
            let mut row = ServiceRow { key, calls: Count::of(*calls), lost: Count::of(*lost), ..ServiceRow::default() };
            row.failures[Failure::Error.index()] = Count::of(*failed);
            window.services.push(row);
        }
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
