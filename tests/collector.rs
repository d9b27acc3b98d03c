//! Promise: what a real OpenTelemetry SDK sends through a real OpenTelemetry Collector into a real Kafka is read as it is.

mod support;

use kafka::testing::real_broker;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;
use support::{Running, collector, eventually, python, root, stopbank, succeed, summary};

const CALLS: usize = 200;

#[test]
fn spans_of_an_sdk_come_through_a_collector_into_the_graph() {
    let (Some(broker), Some(collector), Some(python)) = (real_broker(), collector(), python()) else { return };
    let topics = broker.topics("collector");
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

    let script = root().join("tests/support/sdk_spans.py");
    succeed(Command::new(python).arg(script).args([format!("http://127.0.0.1:{port}"), CALLS.to_string()]));

    let output = succeed(
        stopbank(&["run", "--until-idle", "3s", "--format", "json"])
            .env("STOPBANK_BROKERS", &broker.connection.brokers)
            .env("STOPBANK_TRACES_TOPICS", topic)
            .env("STOPBANK_DOMAIN", broker.unique("collector"))
            .env("STOPBANK_GROUP", broker.unique("collector"))
            .env("STOPBANK_TELEMETRY_START", "earliest")
            .env("STOPBANK_ADMIN_ADDRESS", "127.0.0.1:0"),
    );
    let summary = summary(&output.stdout);
    assert_eq!(summary["spans"], CALLS * 3, "{summary}");
    assert_eq!(summary["poison"], 0, "{summary}");
    // From outside into the shop, and from the shop to the stock.
    assert_eq!(summary["calls"], CALLS, "{summary}");
    assert_eq!(summary["edges"], 1, "{summary}");
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
