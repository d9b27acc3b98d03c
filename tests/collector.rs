//! Promise: what a real OpenTelemetry SDK sends through a real OpenTelemetry Collector into a real Kafka is read as it is.

mod support;

use kafka::testing::real_broker;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;
use support::{Running, collector, eventually, lines, node, python, root, stopbank, succeed, summary};

const CALLS: usize = 200;

#[test]
fn spans_of_the_sdk_of_python_come_through_a_collector_into_the_graph() {
    let Some(python) = python() else { return };
    through_the_collector("python", Command::new(python).arg(root().join("tests/support/sdk_spans.py")));
}

/// Real HTTP between two processes, told by the SDK's own instrumentation of client and server.
#[test]
fn spans_of_the_sdk_of_javascript_and_its_http_instrumentation_come_through_a_collector_into_the_graph() {
    let Some(node) = node() else { return };
    through_the_collector("node", Command::new(node).arg(root().join("tests/support/sdk_spans.js")));
}

/// Lets the program send its spans through a Collector to a topic, and asks `run` and `doctor` what they make of them.
fn through_the_collector(name: &str, program: &mut Command) {
    let (Some(broker), Some(collector)) = (real_broker(), collector()) else { return };
    let topics = broker.topics(name);
    let topic = &topics.traces[0];
    broker.create_topic(topic, 2);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = folder.path().join("collector.yaml");
    fs::write(&configuration, collector_configuration(port, &broker.connection.brokers, topic)).unwrap();
    let _running = Running::start(Command::new(collector).arg("run").arg(&configuration));
    eventually("the Collector listens", Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    succeed(program.args([format!("http://127.0.0.1:{port}"), CALLS.to_string()]));

    let output = succeed(
        stopbank(&["run", "--until-idle", "3s", "--format", "json"])
            .env("STOPBANK_BROKERS", &broker.connection.brokers)
            .env("STOPBANK_TRACES_TOPICS", topic)
            .env("STOPBANK_DOMAIN", broker.unique(name))
            .env("STOPBANK_GROUP", broker.unique(name))
            .env("STOPBANK_TELEMETRY_START", "earliest")
            .env("STOPBANK_ADMIN_ADDRESS", "127.0.0.1:0"),
    );
    let told = summary(&output.stdout);
    assert_eq!(told["spans"], CALLS * 3, "{told}");
    assert_eq!(told["poison"], 0, "{told}");
    // From outside into the shop, and from the shop to the stock.
    assert_eq!(told["calls"], CALLS, "{told}");
    assert_eq!(told["edges"], 1, "{told}");

    let brokers = &broker.connection.brokers;
    let output = succeed(&mut stopbank(&[
        "doctor",
        "--brokers",
        brokers,
        "--topic",
        topic,
        "--from-beginning",
        "--format",
        "json",
    ]));
    let report = lines(&output.stdout).pop().unwrap();
    assert_eq!(report["census"]["spans"], CALLS * 3, "{report}");
    for answer in report["answers"].as_array().unwrap() {
        let sound = ["encodings", "pairing", "orphans", "sampling", "clocks", "duplicates", "names"];
        let asked = answer["question"].as_str().unwrap();
        assert!(!sound.contains(&asked) || answer["grade"] == "A", "{name}: {answer}");
    }
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

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
