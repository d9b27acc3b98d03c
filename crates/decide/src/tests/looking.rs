//! What the planner is shown of the graph.

use crate::{Usage, look};
use graph::Graph;
use learn::Learner;
use model::{Count, EdgeKey, EdgeRow, FlowKey, FlowRow, NameId, Named, Rollup, ServiceKey, ServiceRow, Window};
use std::collections::BTreeSet;

/// `entry` takes requests and calls `stock`.
fn second(at: u64, entry: &str) -> Window {
    let id = NameId::of;
    let service = |name: &str| ServiceRow {
        key: ServiceKey { service: id(name), ..ServiceKey::default() },
        calls: Count::of(50),
        ..ServiceRow::default()
    };
    Window {
        end_ns: at * 1_000_000_000,
        width_ns: 1_000_000_000,
        completeness_permille: 1000,
        names: [entry, "stock", "buy"].map(Named::of).into(),
        services: vec![service(entry), service("stock")],
        edges: vec![EdgeRow {
            key: EdgeKey { caller: id(entry), callee: id("stock"), ..EdgeKey::default() },
            calls: Count::of(50),
            first_attempts: Count::of(50),
            ..EdgeRow::default()
        }],
        flows: vec![FlowRow {
            key: FlowKey { entry: id(entry), operation: id("buy"), ..FlowKey::default() },
            requests: Count::of(50),
            visits: vec![(id("stock"), Count::of(50))],
            ..FlowRow::default()
        }],
        ..Window::default()
    }
}

#[test]
fn who_was_renamed_is_not_there_any_more() {
    let mut graph = Graph::default();
    let mut entries = |seconds: std::ops::Range<u64>, name: &str| {
        for at in seconds {
            let window = second(at, name);
            graph.apply(&window, &Rollup::of(&window));
        }
        let concerned = BTreeSet::from([NameId::of("stock")]);
        let picture = look(&graph, &Learner::default(), &Usage::default(), &concerned);
        let flows: BTreeSet<String> = picture.flows.iter().map(|flow| flow.entry.clone()).collect();
        let callers: BTreeSet<String> = picture.edges_into("stock").map(|edge| edge.caller.to_string()).collect();
        assert_eq!(flows, callers);
        flows.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(entries(1..30, "front"), ["front"]);
    assert_eq!(entries(30..35, "front-v2"), ["front", "front-v2"], "both may run");
    assert_eq!(entries(35..45, "front-v2"), ["front-v2"]);
}
