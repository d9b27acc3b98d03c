//! Promise: spans on a real Kafka in, signed and leased commands on the control topic out, and a stranger can verify them.

mod support;

use kafka::testing::real_broker;
use kafka::{Edge, Outgoing, Tail, TailConfig, Topics, Writer, WriterConfig};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{
    Running, environment, eventually, free_port, go_example, go_subscriber, lines, python, root, stopbank, succeed,
    summary,
};
use telemetry::capture;

#[test]
fn a_cascade_becomes_commands_that_a_stranger_verifies() {
    let (Some(broker), Some(python)) = (real_broker(), python()) else { return };
    let (topics, domain) = (broker.topics("cascade"), broker.unique("cascade"));
    broker.create_topic(&topics.traces[0], 3);
    let folder = tempfile::tempdir().unwrap();
    let spans = write_cascade(folder.path(), broker, &topics);
    let writer = Writer::connect(&WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() });
    let writer = writer.unwrap();
    writer.send(&Outgoing::new(&topics.traces[0], "k", b"\x0a\xff\xff\xff\xffnot telemetry".to_vec())).unwrap();
    writer.flush(Duration::from_secs(10)).unwrap();
    let out = folder.path().to_str().unwrap();
    succeed(&mut stopbank(&["keygen", "--out", out]));

    let mut run = stopbank(&["run", "--until-idle", "3s", "--format", "json"]);
    environment(&mut run, broker, &topics, &domain);
    run.env("STOPBANK_MODE", "act")
        .env("STOPBANK_SIGNING_KEY_FILE", folder.path().join("stopbank.key"))
        .env("STOPBANK_ENGINE_WARM_UP", "12s")
        // The cascade was recorded a minute ago and is read at once.
        .env("STOPBANK_ENGINE_STALE_AFTER", "1h")
        .env("STOPBANK_ENGINE_LEASE", "2m")
        .env("STOPBANK_WINDOW_GRACE", "1s");
    let summary = summary(&succeed(&mut run).stdout);
    assert_eq!(summary["spans"], spans, "every span is read: {summary}");
    assert_eq!(summary["poison"], 1, "{summary}");
    assert!(summary["commands"].as_u64().unwrap() > 0, "{summary}");

    let subscriber = root().join("schemas/examples/subscriber.py");
    let mut stranger = Command::new(python);
    stranger.arg(subscriber).arg(&broker.connection.brokers).arg(folder.path().join("stopbank.pub"));
    let mut stranger = Running::start(stranger.args([&domain, &topics.control]));
    let in_force =
        stranger.line(Duration::from_secs(30), |line| line["in_force"].as_array().is_some_and(|all| !all.is_empty()));
    let commands = in_force["in_force"].as_array().unwrap();
    assert!(commands.iter().any(|one| one["target"]["service"] == "inventory"), "{in_force}");
    assert!(
        commands.iter().all(|one| one["reason"]["evidence"].as_array().is_some_and(|all| !all.is_empty())),
        "{in_force}"
    );

    if let Some(subscriber) = go_subscriber() {
        let mut stranger = Command::new(subscriber);
        stranger.arg(&broker.connection.brokers).arg(folder.path().join("stopbank.pub"));
        let mut stranger = Running::start(stranger.args([&domain, &topics.control]));
        let ids = |line: &serde_json::Value| -> std::collections::BTreeSet<String> {
            line["in_force"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect()
        };
        stranger.line(Duration::from_secs(30), |line| ids(line).is_superset(&ids(&in_force)));
    }

    let letters = read(broker, &topics.dead_letter);
    assert_eq!(letters.len(), 1, "the poison record is there, with its reason");
    let letter = String::from_utf8_lossy(letters[0].value.as_deref().unwrap_or_default()).into_owned();
    assert!(letter.contains(&topics.traces[0]) && letter.contains("reason"), "{letter}");
    assert!(!read(broker, &topics.findings).is_empty());
    let trail: Vec<control::Record> = read(broker, &topics.audit).iter().map(record).collect();
    assert!(!trail.is_empty());
    let keyring = std::fs::read_to_string(folder.path().join("stopbank.pub")).unwrap();
    let keyring = control::parse_keyring(&keyring).unwrap();
    control::verify_chain(&trail, &keyring).expect("the trail is whole");

    let verify = || {
        let mut tap = stopbank(&["tap", "audit", "--verify"]);
        environment(&mut tap, broker, &topics, &domain);
        tap.arg(folder.path().join("stopbank.pub")).output().unwrap()
    };
    let verified = verify();
    assert!(verified.status.success(), "{verified:?}");
    assert_eq!(lines(&verified.stdout)[0]["links"], trail.len());
    let put_in_between = Outgoing::of(&topics.audit, trail[0].clone());
    writer.send(&put_in_between).unwrap();
    writer.flush(Duration::from_secs(10)).unwrap();
    let verified = verify();
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stderr).contains("does not hold"), "{verified:?}");
}

#[test]
fn a_second_run_goes_on_where_the_first_stopped() {
    let Some(broker) = real_broker() else { return };
    let (topics, domain) = (broker.topics("again"), broker.unique("again"));
    broker.create_topic(&topics.traces[0], 3);
    let folder = tempfile::tempdir().unwrap();
    let spans = write_cascade(folder.path(), broker, &topics);
    let run = || {
        let mut run = stopbank(&["run", "--until-idle", "2s", "--format", "json"]);
        environment(&mut run, broker, &topics, &domain);
        summary(&succeed(&mut run).stdout)
    };
    let (first, second) = (run(), run());
    assert_eq!(first["spans_counted"], spans, "{first}");
    assert_eq!(second["spans_counted"], 0, "nothing is counted twice: {second}");
}

#[test]
fn sigterm_drains_within_the_stated_time_and_the_page_answers_until_then() {
    let Some(broker) = real_broker() else { return };
    let (topics, domain) = (broker.topics("drain"), broker.unique("drain"));
    broker.create_topic(&topics.traces[0], 2);
    let folder = tempfile::tempdir().unwrap();
    write_cascade(folder.path(), broker, &topics);
    let port = free_port();
    let mut run = stopbank(&["run", "--format", "json"]);
    environment(&mut run, broker, &topics, &domain);
    run.env("STOPBANK_ADMIN_ADDRESS", format!("127.0.0.1:{port}")).env("STOPBANK_RUNTIME_SHUTDOWN_TIMEOUT", "10s");
    let mut running = Running::start(&mut run);
    let get = |path: &str| {
        let mut answer = ureq::get(format!("http://127.0.0.1:{port}{path}")).call().ok()?;
        answer.body_mut().read_to_string().ok()
    };
    let graph = eventually("the graph has edges", Duration::from_secs(40), || {
        let graph: serde_json::Value = serde_json::from_str(&get("/graph")?).ok()?;
        (graph["edges"].as_array()?.len() >= 8).then_some(graph)
    });
    let edge = &graph["edges"][0];
    for field in ["caller", "callee", "rate_rps", "errors", "p50_ms", "p99_ms"] {
        assert!(!edge[field].is_null(), "{field} stands in {edge}");
    }
    eventually("it is ready", Duration::from_secs(20), || get("/health/readyz"));
    assert!(get("/health/livez").is_some());
    let metrics = get("/metrics").unwrap();
    assert!(metrics.contains("traces_service_graph_request_total{"), "{metrics}");
    assert!(get("/").unwrap().to_lowercase().starts_with("<!doctype html>"));
    running.signal("TERM");
    let summary = running.line(Duration::from_secs(15), |line| line["type"] == "summary");
    assert_eq!(summary["ended"], "drained", "{summary}");
    assert!(eventually("it ends", Duration::from_secs(5), || running.0.try_wait().unwrap()).success());
}

#[test]
fn the_subscriber_in_python_agrees_with_the_golden_files() {
    if let Some(python) = python() {
        succeed(Command::new(python).arg(root().join("schemas/examples/check.py")));
    }
}

#[test]
fn the_subscriber_in_go_agrees_with_the_golden_files() {
    if go_subscriber().is_some() {
        succeed(Command::new("go").args(["test", "-count=1", "./..."]).current_dir(go_example()));
    }
}

/// The shop's cascade of the last minute, written to the telemetry topic; gives the number of spans.
fn write_cascade(folder: &Path, broker: &kafka::testing::Broker, topics: &Topics) -> u64 {
    let path = folder.join("cascade.binpb");
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 60;
    let generated = succeed(
        stopbank(&["generate", "--rate", "2500", "--for", "50s", "--format", "json", "--start", &start.to_string()])
            .arg("--out")
            .arg(&path),
    );
    let writer = Writer::connect(&WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() });
    let writer = writer.unwrap();
    let mut capture = capture::open(std::fs::File::open(&path).unwrap()).unwrap();
    let mut record = Vec::new();
    while capture.next_record(&mut record).unwrap().is_some() {
        writer.send_bytes(&topics.traces[0], None, &record).unwrap();
    }
    assert_eq!(writer.flush(Duration::from_secs(30)).unwrap().failed, 0);
    summary(&generated.stdout)["spans"].as_u64().unwrap()
}

fn read(broker: &kafka::testing::Broker, topic: &str) -> Vec<kafka::TailRecord> {
    let mut tail = Tail::connect(&TailConfig::new(broker.connection.clone(), topic, Edge::Earliest)).unwrap();
    tail.read_to_end(Duration::from_secs(20)).unwrap()
}

fn record(tail: &kafka::TailRecord) -> control::Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    control::Record {
        key: tail.key.as_deref().map(text).unwrap_or_default(),
        value: tail.value.clone().unwrap_or_default(),
        headers: tail.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}
