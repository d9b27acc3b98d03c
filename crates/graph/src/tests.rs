//! The graph under made-up windows.

use crate::{Graph, GraphConfig, loop_gain};
use model::{
    Count, EdgeId, EdgeKey, EdgeRow, Failure, FlowKey, FlowRow, NameId, Named, Rollup, ServiceKey, ServiceRow, Window,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;

fn id(name: &str) -> NameId {
    NameId::of(name)
}

fn edge_id(caller: &str, callee: &str) -> EdgeId {
    EdgeId { caller: id(caller), callee: id(callee) }
}

fn edge(caller: &str, callee: &str, calls: u64) -> EdgeRow {
    EdgeRow {
        key: EdgeKey { caller: id(caller), callee: id(callee), ..EdgeKey::default() },
        calls: Count::of(calls),
        first_attempts: Count::of(calls),
        ..EdgeRow::default()
    }
}

fn service(name: &str, calls: u64) -> ServiceRow {
    ServiceRow {
        key: ServiceKey { service: id(name), ..ServiceKey::default() },
        calls: Count::of(calls),
        ..ServiceRow::default()
    }
}

fn window(at: u64, services: Vec<ServiceRow>, edges: Vec<EdgeRow>) -> Window {
    Window {
        end_ns: at * SECOND_NS,
        width_ns: SECOND_NS,
        completeness_permille: 1000,
        services,
        edges,
        ..Window::default()
    }
}

fn feed(graph: &mut Graph, window: &Window) {
    graph.apply(window, &Rollup::of(window));
}

fn chain() -> Graph {
    let mut graph = Graph::default();
    let edges = vec![edge("web", "cart", 10), edge("web", "pay", 10), edge("pay", "bank", 20), edge("cart", "db", 10)];
    feed(&mut graph, &window(1, vec![service("web", 10), service("pay", 10)], edges));
    graph
}

#[test]
fn messages_that_nobody_is_seen_to_take_are_told() {
    let sent = |taken, kind| {
        let mut row = edge("shop", "mail", taken);
        row.key.kind = kind;
        row.client = model::SparseHistogram::from_pairs(vec![(2_000, Count::of(50))]);
        let mut graph = Graph::default();
        (1..=30).for_each(|at| feed(&mut graph, &window(at, vec![], vec![row.clone()])));
        graph.view().edges[0].untaken_share
    };
    assert!((sent(40, model::EdgeKind::Messaging) - 0.2).abs() < 1e-3);
    assert!(sent(50, model::EdgeKind::Messaging) < 1e-3);
    assert_eq!(sent(100, model::EdgeKind::Messaging), 0.0, "each by two consumers");
    assert_eq!(sent(40, model::EdgeKind::Call), 0.0);
}

#[test]
fn a_service_that_is_called_as_an_older_one_was_has_it_as_its_forerunner() {
    let call = |caller: &str, callee: &str, operation: &str, calls| {
        let mut row = edge(caller, callee, calls);
        (row.key.caller_operation, row.key.callee_operation) = (id("home"), id(operation));
        row
    };
    let mut graph = Graph::default();
    let old = vec![call("web", "cart", "read", 50), call("web", "pay", "charge", 20), call("web", "log", "health", 9)];
    for at in 1..=30 {
        feed(&mut graph, &window(at, vec![service("web", 70)], old.clone()));
    }
    let renamed =
        vec![call("web", "cart-v2", "read", 50), call("web", "geo", "health", 9), call("web", "new", "ask", 5)];
    feed(&mut graph, &window(31, vec![service("web", 70)], renamed));
    let before_ns = 21 * SECOND_NS;
    assert_eq!(graph.forerunner(id("cart-v2"), before_ns), Some(id("cart")));
    assert_eq!(graph.forerunner(id("new"), before_ns), None, "nobody was asked that");
    assert_eq!(graph.forerunner(id("pay"), before_ns), None);
    assert_eq!(graph.forerunner(id("cart-v2"), SECOND_NS), None, "not old enough");
    let both = vec![call("web", "map", "health", 9), call("web", "log", "health", 9), call("web", "geo", "health", 9)];
    (32..=60).for_each(|at| feed(&mut graph, &window(at, vec![], both[1..].to_vec())));
    feed(&mut graph, &window(61, vec![], both));
    assert_eq!(graph.forerunner(id("map"), 51 * SECOND_NS), None, "all are asked for their health");
}

#[test]
fn a_steady_rate_is_read_exactly_and_a_silent_edge_fades_and_goes() {
    let mut graph = Graph::default();
    for at in 1..=5 {
        feed(&mut graph, &window(at, vec![service("a", 8)], vec![edge("a", "b", 8)]));
        let rate = graph.edge(edge_id("a", "b")).expect("seen").rates().calls_rps;
        assert!((rate - 8.0).abs() < 1e-9, "second {at}: {rate}");
    }
    feed(&mut graph, &window(10, vec![], vec![]));
    let rate = graph.edge(edge_id("a", "b")).expect("not forgotten yet").rates().calls_rps;
    assert!(rate > 0.5 && rate < 4.5, "{rate}");
    feed(&mut graph, &window(400, vec![], vec![]));
    assert!(graph.edge(edge_id("a", "b")).is_none());
    assert!(graph.service(id("a")).is_none());
}

#[test]
fn names_travel_once_and_unknown_ones_are_shown_as_their_hash() {
    let mut graph = Graph::default();
    let mut first = window(1, vec![service("shop", 1)], vec![]);
    first.names = vec![Named::of("shop")];
    feed(&mut graph, &first);
    assert_eq!(graph.name(id("shop")), "shop");
    assert!(graph.name(id("other")).starts_with('#'));
    assert_eq!(graph.name(NameId::NONE), "");
}

#[test]
fn walks_follow_the_calls_both_ways() {
    let graph = chain();
    assert!(graph.reaches(id("web"), id("bank")));
    assert!(!graph.reaches(id("bank"), id("web")));
    assert!(!graph.reaches(id("web"), id("web")));
    assert_eq!(graph.dependants_of(id("bank")), [id("web"), id("pay")].into());
    assert_eq!(graph.callers_of(id("pay")), [id("web")].into());
    assert_eq!(graph.callees_of(id("web")), [id("cart"), id("pay")].into());
    let order = graph.depth_order();
    let place = |name: &str| order.iter().position(|s| *s == id(name)).expect("every service is in the order");
    assert!(place("bank") < place("pay") && place("pay") < place("web") && place("db") < place("cart"));
}

#[test]
fn services_on_a_cycle_share_a_layer() {
    let mut graph = Graph::default();
    let edges = vec![edge("a", "b", 1), edge("b", "c", 1), edge("c", "b", 1), edge("c", "d", 1), edge("d", "d", 1)];
    feed(&mut graph, &window(1, vec![], edges));
    let layers = graph.layers();
    assert_eq!(layers.len(), 3);
    assert_eq!(layers[0], vec![id("d")]);
    assert_eq!(layers[1].len(), 2);
    assert_eq!(layers[2], vec![id("a")]);
    assert!(graph.reaches(id("b"), id("b")));
}

#[test]
fn flows_say_who_uses_a_service_and_how_often() {
    let mut graph = Graph::default();
    let flow = |operation: &str, requests: u64, visits: u64| FlowRow {
        key: FlowKey { entry: id("web"), operation: id(operation), ..FlowKey::default() },
        requests: Count::of(requests),
        good: Count::of(requests / 2),
        visits: vec![(id("bank"), Count::of(visits))],
    };
    let mut one = window(1, vec![service("web", 30)], vec![]);
    one.flows = vec![flow("buy", 10, 30), flow("look", 20, 0)];
    one.flows[1].visits = vec![(id("shelf"), Count::of(20))];
    feed(&mut graph, &one);
    let uses = graph.flows_through(id("bank"));
    assert_eq!(uses.len(), 1);
    assert_eq!(uses[0].key.operation, id("buy"));
    assert!((uses[0].fan_out - 3.0).abs() < 1e-9 && (uses[0].visits_rps - 30.0).abs() < 1e-9);
    assert_eq!(graph.entry_rps(), (30.0, 15.0));
}

#[test]
fn a_biased_mark_outlives_its_window_for_a_while() {
    let mut graph = Graph::default();
    let mut row = edge("a", "b", 1);
    row.biased = true;
    feed(&mut graph, &window(1, vec![], vec![row]));
    feed(&mut graph, &window(2, vec![], vec![edge("a", "b", 1)]));
    assert!(graph.is_biased(edge_id("a", "b")));
    feed(&mut graph, &window(90, vec![], vec![edge("a", "b", 1)]));
    assert!(!graph.is_biased(edge_id("a", "b")));
}

#[test]
fn retries_close_the_loop_only_where_the_response_to_load_is_known() {
    let mut graph = Graph::default();
    let mut row = edge("web", "pay", 200);
    row.first_attempts = Count::of(100);
    row.retries = Count::of(100);
    row.failures[Failure::Timeout.index()] = Count::of(100);
    feed(&mut graph, &window(1, vec![service("web", 100), service("pay", 200)], vec![row]));
    assert_eq!(loop_gain(&graph, &BTreeMap::new()).radius, 0.0);
    // Half of the calls fail: dA/dp = 1 + 2·.5 + 3·.25 = 2.75; ×100 first attempts × .005 per rps = 1.375.
    let gain = loop_gain(&graph, &[(id("pay"), 0.005)].into());
    assert!((gain.radius - 1.375).abs() < 0.01, "{gain:?}");
    assert_eq!(gain.carriers[0].0, id("pay"));
}

proptest! {
    #[test]
    fn a_flood_of_names_keeps_to_the_caps_and_heavy_edges_survive(seeds in prop::collection::vec(any::<u64>(), 200)) {
        let config = GraphConfig { services_max: 12, edges_max: 10, flows_max: 4, names_max: 30, ..GraphConfig::default() };
        let mut graph = Graph::new(config);
        for at in 1..=10u64 {
            let mut rows: Vec<EdgeRow> = (0..4).map(|n| edge("gate", &format!("real{n}"), 50)).collect();
            let mut names: Vec<Named> = (0..4).map(|n| Named::of(&format!("real{n}"))).collect();
            // The flood comes first, before the real edges are known.
            let flood = &seeds[(at as usize - 1) * 20..at as usize * 20];
            rows.extend(flood.iter().map(|seed| edge(&format!("x{seed}"), &format!("y{seed}{at}"), 1 + seed % 3)));
            names.extend(flood.iter().map(|seed| Named::of(&format!("x{seed}"))));
            if at == 1 {
                rows.drain(..4);
            }
            let mut flooded = window(at, vec![], rows);
            flooded.names = names;
            feed(&mut graph, &flooded);
            prop_assert!(graph.edges().count() <= 10);
            prop_assert!(graph.services().count() <= 12);
        }
        for n in 0..4 {
            let edge = graph.edge(edge_id("gate", &format!("real{n}")));
            prop_assert!(edge.is_some());
            prop_assert!(edge.is_some_and(|edge| edge.rates().calls_rps.is_finite()));
        }
    }

    #[test]
    fn layers_hold_every_service_once_and_callees_come_first(pairs in prop::collection::vec((0u8..9, 0u8..9), 1..30)) {
        let mut graph = Graph::default();
        let rows = pairs.iter().map(|(a, b)| edge(&format!("s{a}"), &format!("s{b}"), 1)).collect();
        feed(&mut graph, &window(1, vec![], rows));
        let order = graph.depth_order();
        prop_assert_eq!(order.len(), graph.services().count());
        let layer = |service: NameId| graph.layers().iter().position(|l| l.contains(&service));
        for (id, _) in graph.edges() {
            if !graph.reaches(id.callee, id.caller) {
                prop_assert!(layer(id.callee) < layer(id.caller));
            }
        }
    }
}
