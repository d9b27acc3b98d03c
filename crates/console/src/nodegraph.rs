//! The live graph in the form of Grafana's node graph panel (frames `nodes` and `edges` of its data API).

use model::{EdgeView, GraphView, ServiceView};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The graph as `{"nodes":[…],"edges":[…]}`; callees that emit no spans become nodes of their own.
pub(crate) fn nodegraph(view: &GraphView) -> Value {
    let known: BTreeSet<&str> = view.services.iter().map(|service| service.name.as_str()).collect();
    let ends: BTreeSet<&str> =
        view.edges.iter().flat_map(|edge| [edge.caller.as_str(), edge.callee.as_str()]).collect();
    let silent = ends.difference(&known).map(|name| json!({ "id": node_id(name), "title": title(name) }));
    let nodes: Vec<Value> = view.services.iter().map(node).chain(silent).collect();
    let edges: Vec<Value> = view.edges.iter().map(edge).collect();
    json!({ "nodes": nodes, "edges": edges })
}

fn node(service: &ServiceView) -> Value {
    json!({
        "id": node_id(&service.name),
        "title": title(&service.name),
        "mainstat": format!("{:.1} req/s", service.rate_rps),
        "secondarystat": format!("p99 {:.0} ms", service.p99_ms),
        "arc__failed": service.error_share,
        "arc__ok": 1.0 - service.error_share,
    })
}

fn edge(edge: &EdgeView) -> Value {
    json!({
        "id": format!("{}->{} {:?}", node_id(&edge.caller), node_id(&edge.callee), edge.kind),
        "source": node_id(&edge.caller),
        "target": node_id(&edge.callee),
        "mainstat": format!("{:.1} req/s", edge.rate_rps),
        "secondarystat": format!("{:.1} % errors, p99 {:.0} ms", edge.errors.value * 100.0, edge.p99_ms.value),
    })
}

/// The outside world has no name of its own; an id must not be empty.
fn node_id(name: &str) -> &str {
    if name.is_empty() { "(outside)" } else { name }
}

fn title(name: &str) -> &str {
    if name.is_empty() { "outside" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_ends_at_a_node() {
        let view = GraphView {
            services: vec![ServiceView { name: "checkout".into(), ..ServiceView::default() }],
            edges: vec![
                EdgeView { callee: "checkout".into(), ..EdgeView::default() },
                EdgeView { caller: "checkout".into(), callee: "postgres".into(), ..EdgeView::default() },
            ],
            ..GraphView::default()
        };
        let graph = nodegraph(&view);
        let ids: BTreeSet<&str> =
            graph["nodes"].as_array().into_iter().flatten().filter_map(|node| node["id"].as_str()).collect();
        for edge in graph["edges"].as_array().into_iter().flatten() {
            for end in ["source", "target"] {
                assert!(ids.contains(edge[end].as_str().unwrap_or("?")), "{edge}");
            }
        }
        assert_eq!(ids, BTreeSet::from(["(outside)", "checkout", "postgres"]));
    }
}
