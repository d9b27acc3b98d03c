//! Span shapes that meshes and instrumentation libraries emit, each with the edges that it must give.
//!
//! The files under `shapes/` are written from documentation and from the libraries' own tests: Envoy's OpenTelemetry tracer
//! under Istio (with `spawn_upstream_span` for retries and at a gateway), Linkerd's proxy, the OpenTelemetry Java agent with
//! Kafka (stable and old conventions, one by one and in batches), Python's `requests` and Flask, Go's `otelhttp` and
//! `otelgrpc`, Node's `http` and Express.

use model::{EdgeKind, NameId, Window};
use std::collections::BTreeMap;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Grace, Lane, PartitionId, ShardConfig, WatermarkConfig};

/// The edges of a file, sorted: `caller [operation] > callee [operation] kind calls/retries/failed`.
fn edges(payload: &str) -> (Vec<String>, Vec<Window>, BTreeMap<NameId, String>) {
    let mut reader = Reader::new(ReaderConfig::default());
    let mut facts = Facts::default();
    reader.read(Encoding::OtlpJson, payload.as_bytes(), &mut facts).expect("the file is OTLP/JSON");
    let names: BTreeMap<NameId, String> = facts
        .names
        .iter()
        .map(|named| (named.id, named.text.clone()))
        .chain([(NameId::NONE, "-".to_owned())])
        .collect();
    let grace = Grace::Fixed { grace_ms: 100 };
    let mut lane =
        Lane::new(grace, WatermarkConfig::default(), ShardConfig { flow_sample: 1, ..ShardConfig::default() });
    lane.observe(PartitionId { topic: 0, partition: 0 }, &facts.names, &facts.spans, None);
    let windows = lane.drain();
    let kind = |kind| match kind {
        EdgeKind::Call => "call",
        EdgeKind::Database => "database",
        EdgeKind::Messaging => "messaging",
        EdgeKind::External => "external",
        EdgeKind::Unresolved => "unresolved",
    };
    let mut lines: Vec<String> = windows
        .iter()
        .flat_map(|window| &window.edges)
        .filter(|row| !row.calls.is_zero())
        .map(|row| {
            let key = row.key;
            format!(
                "{} [{}] > {} [{}] {} {}/{}/{}",
                names[&key.caller],
                names[&key.caller_operation],
                names[&key.callee],
                names[&key.callee_operation],
                kind(key.kind),
                row.calls.calls(),
                row.retries.calls(),
                row.failed().calls()
            )
        })
        .collect();
    lines.sort();
    (lines, windows, names)
}

/// `service calls entries`, sorted.
fn services(windows: &[Window], names: &BTreeMap<NameId, String>) -> Vec<String> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for row in windows.iter().flat_map(|window| &window.services) {
        let sum = sums.entry(&names[&row.key.service]).or_default();
        sum.0 += row.calls.calls();
        sum.1 += row.entries.calls();
    }
    sums.into_iter().map(|(name, (calls, entries))| format!("{name} {calls} {entries}")).collect()
}

#[test]
fn every_shape_gives_the_edges_of_the_requests_behind_it() {
    for (name, payload, wanted, wanted_services) in [
        (
            "istio",
            include_str!("shapes/istio.json"),
            &["web [/checkout] > cart [/cart/{id}] call 1/0/0"][..],
            &["cart 1 0", "web 1 1"][..],
        ),
        (
            "istio-retries",
            include_str!("shapes/istio-retries.json"),
            &["web [/checkout] > cart [/cart/{id}] call 3/2/2"],
            &["cart 2 0", "web 1 1"],
        ),
        ("istio-gateway", include_str!("shapes/istio-gateway.json"), &[], &["web 1 1"]),
        (
            "linkerd",
            include_str!("shapes/linkerd.json"),
            &["web [/checkout] > cart [/cart/{id}] call 1/0/0"],
            &["cart 1 0", "web 1 1"],
        ),
        (
            "istio-silent",
            include_str!("shapes/istio-silent.json"),
            &["cart [/cart/{id}] > stock [/items/{id}] call 2/1/1", "web [/checkout] > cart [/cart/{id}] call 1/0/0"],
            &["cart 1 0", "stock 2 0", "web 1 1"],
        ),
        (
            "istio-silent-callee",
            include_str!("shapes/istio-silent-callee.json"),
            &["web [/checkout] > cart [/cart/{id}] call 1/0/0"],
            &["cart 1 0", "web 1 1"],
        ),
        (
            "linkerd-silent",
            include_str!("shapes/linkerd-silent.json"),
            &["cart [/cart/{id}] > stock [/items/{id}] call 1/0/0", "web [/checkout] > cart [/cart/{id}] call 1/0/0"],
            &["cart 1 0", "stock 1 0", "web 1 1"],
        ),
        (
            "java-kafka",
            include_str!("shapes/java-kafka.json"),
            &["shop [/orders] > mail [process orders] messaging 1/0/0"],
            &["mail 1 0", "shop 1 1"],
        ),
        (
            "java-kafka-receive",
            include_str!("shapes/java-kafka-receive.json"),
            &["shop [/orders] > mail [process orders] messaging 1/0/0"],
            &["mail 1 0", "shop 1 1"],
        ),
        (
            "java-kafka-batch",
            include_str!("shapes/java-kafka-batch.json"),
            &["shop [-] > mail [process orders] messaging 2/0/0"],
            &["mail 1 1"],
        ),
        (
            "python-flask-requests",
            include_str!("shapes/python-flask-requests.json"),
            &[
                "web [/checkout/<int:order>] > bank.example [GET] unresolved 1/0/0",
                "web [/checkout/<int:order>] > cart [/cart/<id>] call 1/0/1",
            ],
            &["cart 1 0", "web 1 1"],
        ),
        (
            "go-otelhttp-otelgrpc",
            include_str!("shapes/go-otelhttp-otelgrpc.json"),
            &[
                "web [checkout] > cart [/cart/{id}] call 1/0/0",
                "web [checkout] > payment [payment.Payments/Charge] call 1/0/1",
                "web [checkout] > payment [payment.Payments/Watch] call 1/0/0",
            ],
            &["cart 1 0", "payment 2 0", "web 1 1"],
        ),
        (
            "node-http-express",
            include_str!("shapes/node-http-express.json"),
            &["web [/checkout/:order] > cart [/cart/:id] call 1/0/0"],
            &["cart 1 0", "web 1 1"],
        ),
    ] {
        let (edges, windows, names) = edges(payload);
        assert_eq!(edges, wanted, "{name}");
        assert_eq!(services(&windows, &names), wanted_services, "{name}");
    }
}

#[test]
fn a_stream_and_a_poll_are_counted_and_leave_latency_alone() {
    let (_, windows, names) = edges(include_str!("shapes/go-otelhttp-otelgrpc.json"));
    let watched: Vec<_> = windows
        .iter()
        .flat_map(|window| &window.edges)
        .filter(|row| names[&row.key.callee_operation] == "payment.Payments/Watch")
        .collect();
    assert_eq!(watched.len(), 1);
    assert!(watched[0].client.is_empty() && watched[0].server.is_empty() && watched[0].gap.is_empty());
    let (_, windows, names) = edges(include_str!("shapes/java-kafka.json"));
    let mail = windows.iter().flat_map(|window| &window.services).find(|row| names[&row.key.service] == "mail");
    let longest_us = mail.and_then(|row| row.duration.quantile_us(1000)).expect("a message was processed");
    assert!(longest_us < 30_000, "{longest_us} µs: a poll of 110 ms is not in it");
    let queued = windows.iter().flat_map(|window| &window.edges).find_map(|row| row.gap.quantile_us(500));
    assert!(
        queued.is_some_and(|us| (100_000..110_000).contains(&us)),
        "the message lay 102 ms in the topic: {queued:?}"
    );
}
