//! Promise: what a real OpenTelemetry SDK sends through a real OpenTelemetry Collector into a real Kafka is read as it is.

mod support;

use kafka::testing::real_broker;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::{
    Running, collector, environment, eventually, free_port, go_program, java, lines, node, python, root, stopbank,
    succeed,
};

const CALLS: usize = 200;
/// Every twentieth.
const FAILED: usize = CALLS / 20;

/// In each language a shop that is asked from outside asks a stock over HTTP. Python's spans are made by hand; Node's, Java's and
/// Go's are those of the instrumentation that people use: real HTTP, in Java between two processes under the agent.
#[test]
fn spans_of_the_sdks_of_python_node_java_and_go_come_through_a_collector_into_the_graph() {
    let (Some(broker), Some(collector)) = (real_broker(), collector()) else { return };
    let topics = broker.topics("sdks");
    let topic = &topics.traces[0];
    broker.create_topic(topic, 2);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = folder.path().join("collector.yaml");
    fs::write(&configuration, collector_configuration(port, &broker.connection.brokers, topic)).unwrap();
    let _collector = Running::start(Command::new(collector).arg("run").arg(&configuration));
    eventually("the Collector listens", Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let languages = send(&format!("http://127.0.0.1:{port}"));
    let all = languages.len();

    let admin = format!("127.0.0.1:{}", free_port());
    let mut command = stopbank(&["run", "--format", "json"]);
    environment(&mut command, broker, &topics, &broker.unique("sdks"));
    // The SDKs send batches every 5 s: how long to wait for them is found out, as long as their pauses are not taken for the end
    // (everything closes three windows after what is idle).
    command.env("STOPBANK_WINDOW_IDLE_AFTER", "3s");
    command.env("STOPBANK_ADMIN_ADDRESS", &admin);
    let running = Running::silent(&mut command);
    let calls = |graph: &Value| -> u64 { edges(graph).filter_map(|edge| edge["calls_total"].as_u64()).sum() };
    let wanted = (all * CALLS) as u64;
    let graph = eventually("all calls are in the graph", Duration::from_secs(60), || {
        let text = ureq::get(&format!("http://{admin}/graph")).call().ok()?.body_mut().read_to_string().ok()?;
        let graph: Value = serde_json::from_str(&text).ok()?;
        (calls(&graph) >= wanted).then_some(graph)
    });
    drop(running);
    // From outside into the shop, and from the shop to the stock: no other edge.
    assert_eq!(edges(&graph).count(), all, "{graph:#}");
    for (language, [entered, asked]) in languages {
        let (shop, stock) = (format!("{language}-shop"), format!("{language}-stock"));
        let edge = edges(&graph)
            .find(|edge| edge["caller"] == shop.as_str() && edge["callee"] == stock.as_str())
            .unwrap_or_else(|| panic!("{shop} calls {stock}: {graph:#}"));
        assert_eq!((&edge["kind"], &edge["biased"]), (&"Call".into(), &false.into()), "{edge:#}");
        assert_eq!(edge["calls_total"], CALLS, "{edge:#}");
        assert_eq!(edge["failed_total"], FAILED, "{edge:#}");
        // Two hundred items, one operation. A call that ends in one second, and the request in which it was made in the next one,
        // is counted before it is known what was asked.
        let operations = edge["operations"].as_array().unwrap();
        let (named, cut): (Vec<_>, Vec<_>) = operations.iter().partition(|operation| operation[0] != "");
        assert_eq!(named.len(), 1, "{edge:#}");
        assert_eq!((&named[0][0], &named[0][1]), (&entered.into(), &asked.into()), "{edge:#}");
        let rate = |operation: &Value| operation[2].as_f64().unwrap();
        assert!(cut.iter().all(|operation| operation[1] == asked), "{edge:#}");
        assert!(cut.iter().map(|operation| rate(operation)).sum::<f64>() < rate(named[0]) / 20.0, "{edge:#}");
    }

    let brokers = &broker.connection.brokers;
    let doctor = ["doctor", "--brokers", brokers, "--topic", topic, "--from-beginning", "--format", "json"];
    let report = lines(&succeed(&mut stopbank(&doctor)).stdout).pop().unwrap();
    assert_eq!(report["census"]["spans"], all * CALLS * 3, "{report}");
    for answer in report["answers"].as_array().unwrap() {
        let sound = ["encodings", "pairing", "orphans", "sampling", "clocks", "duplicates", "names"];
        let asked = answer["question"].as_str().unwrap();
        assert!(!sound.contains(&asked) || answer["grade"] == "A", "{answer}");
    }
}

/// The operations of the shop and of the stock, as the instrumentation names them.
type Operations = [&'static str; 2];

/// Lets each language that is there send its spans to this address, all at once; gives what its edge is called.
fn send(endpoint: &str) -> BTreeMap<&'static str, Operations> {
    let (support, clients) = (root().join("tests/support"), root().join("tests/clients"));
    let mut programs: Vec<(&'static str, Operations, Command)> = Vec::new();
    let mut with = |language, operations, program, arguments: &[&Path]| {
        let mut command = Command::new(program);
        command.args(arguments).args([endpoint, &CALLS.to_string()]);
        programs.push((language, operations, command));
    };
    if let Some(python) = python() {
        with("python", ["/basket", "GET /items/{id}"], python, &[&support.join("sdk_spans.py")]);
    }
    // Node's instrumentation of plain HTTP knows no route: all that a server span is called is its method.
    if let Some(node) = node() {
        with("node", ["/basket", "GET"], node, &[&support.join("sdk_spans.js")]);
    }
    if let Some(java) = java() {
        with("java", ["/basket", "/items"], java, &["compiled".as_ref(), &clients.join("SdkSpans.java")]);
    }
    if let Some(go) = go_program("sdk-go", &clients.join("go-sdk")) {
        with("go", ["/basket/{number}", "/items/{number}"], go, &[]);
    }
    std::thread::scope(|scope| {
        let sending: Vec<_> = programs
            .into_iter()
            .map(|(language, operations, mut command)| {
                (language, operations, scope.spawn(move || succeed(&mut command)))
            })
            .collect();
        let sent = sending.into_iter().map(|(language, operations, sent)| (language, operations, sent.join().unwrap()));
        sent.map(|(language, operations, _)| (language, operations)).collect()
    })
}

fn edges(graph: &Value) -> impl Iterator<Item = &Value> {
    graph["edges"].as_array().into_iter().flatten()
}

fn collector_configuration(port: u16, brokers: &str, topic: &str) -> String {
    format!(
        "receivers:\n  otlp:\n    protocols:\n      http: {{endpoint: '127.0.0.1:{port}'}}\n\
         processors:\n  batch: {{timeout: 100ms}}\n\
         exporters:\n  kafka:\n    brokers: ['{brokers}']\n    traces: {{topic: {topic}, encoding: otlp_proto}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces: {{receivers: [otlp], processors: [batch], \
         exporters: [kafka]}}\n"
    )
}
