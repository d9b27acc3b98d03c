//! Promise: `stopbank doctor` says what can be seen in telemetry, of files and of live topics, ends as a pipeline needs it,
//! and what it tells to paste is legal.

mod support;

use kafka::testing::real_broker;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::{Running, collector, lines, stopbank, succeed};

fn generate(folder: &Path, name: &str) -> String {
    let path = folder.join(name).to_str().unwrap().to_owned();
    succeed(&mut stopbank(&["generate", "--rate", "1500", "--for", "15s", "--seed", "2", "--out", &path]));
    path
}

fn answer<'a>(report: &'a Value, question: &str) -> &'a Value {
    let answers = report["answers"].as_array().unwrap();
    answers.iter().find(|one| one["question"] == question).unwrap_or_else(|| panic!("{question}: {report}"))
}

fn report(output: &Output) -> Value {
    lines(&output.stdout).pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_capture_is_graded_and_the_exit_code_follows_the_grade_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let clean = generate(folder.path(), "clean.binpb");
    let output = succeed(&mut stopbank(&["doctor", &clean, "--format", "json", "--fail-under", "B"]));
    let said = report(&output);
    assert_eq!((&said["type"], &said["grade"]), (&"doctor".into(), &"A".into()), "{said}");
    assert_eq!(answer(&said, "pairing")["grade"], "A");
    assert!(said["services"].as_array().unwrap().len() >= 10);

    let mut noise = fs::read(&clean).unwrap();
    (0..100).for_each(|_| noise.extend(b"\0\0\0\x05hello"));
    let noisy = folder.path().join("noisy.binpb");
    fs::write(&noisy, noise).unwrap();
    let noisy = noisy.to_str().unwrap();
    let judged = |arguments: &[&str]| stopbank(&["doctor", noisy]).args(arguments).output().unwrap();
    assert_eq!(judged(&[]).status.code(), Some(0), "without a bar the job is done");
    let failed = judged(&["--fail-under", "B"]);
    assert_eq!(failed.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("is worse than B"));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("encodings"), "the report is printed all the same");
    assert_eq!(judged(&["--fail-under", "B", "--question", "pairing"]).status.code(), Some(0));
    assert_eq!(judged(&["--fail-under", "B", "--question", "encodings"]).status.code(), Some(4));
    assert_eq!(judged(&["--fail-under", "G"]).status.code(), Some(2));
    assert_eq!(stopbank(&["doctor", "/no/such/file"]).output().unwrap().status.code(), Some(1));
}

#[test]
fn live_topics_are_listened_to_and_old_ones_read_to_their_end() {
    let Some(broker) = real_broker() else { return };
    let topics = broker.topics("doctor");
    let topic = &topics.traces[0];
    broker.create_topic(topic, 3);
    let brokers = &broker.connection.brokers;
    let doctor = |arguments: &[&str]| {
        let mut command = stopbank(&["doctor", "--brokers", brokers, "--topic", topic, "--format", "json"]);
        command.args(arguments);
        command
    };
    let generator = Running::start(&mut stopbank(&[
        "generate",
        "--brokers",
        brokers,
        "--topic",
        topic,
        "--rate",
        "800",
        "--for",
        "12s",
    ]));
    let live = report(&succeed(&mut doctor(&["--for", "8s"])));
    assert!(live["census"]["spans"].as_u64().unwrap() > 1_000, "{live}");
    assert_eq!(live["partitions"].as_array().unwrap().len(), 3);
    let age_ms = answer(&live, "lateness")["figures"]["age_p50_ms"].as_f64().unwrap();
    assert!(age_ms < 5_000.0, "what is read was just sent: {live}");
    assert_eq!(answer(&live, "encodings")["grade"], "A");
    drop(generator);
    let old = report(&succeed(&mut doctor(&["--from-beginning", "--for", "60s"])));
    assert!(old["census"]["spans"].as_u64() >= live["census"]["spans"].as_u64(), "{old}");
    let missing =
        stopbank(&["doctor", "--brokers", brokers, "--topic", "nobody-has-made-this", "--for", "5s"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1), "{}", String::from_utf8_lossy(&missing.stderr));
    let nobody = stopbank(&["doctor", "--brokers", "127.0.0.1:1", "--for", "5s"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{}", String::from_utf8_lossy(&nobody.stderr));
}

/// What the snippets are pasted into.
const BASE: &str = "receivers:\n  otlp: {protocols: {grpc: {endpoint: '127.0.0.1:4317'}}}\n\
    processors:\n  batch:\n\
    exporters:\n  kafka: {brokers: ['localhost:9092']}\n\
    service:\n  pipelines:\n    traces: {receivers: [otlp], processors: [batch], exporters: [kafka]}\n";

#[test]
fn every_collector_snippet_is_legal_for_a_real_collector() {
    let Some(collector) = collector() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let base = write("base.yaml", BASE);
    let validate = |snippet: &Path| {
        let output = Command::new(&collector).arg("validate").args([&base, snippet]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let snippets: Vec<_> = doctor::snippets().into_iter().filter(|snippet| snippet.language == "yaml").collect();
    assert!(snippets.len() >= 8);
    for snippet in snippets {
        let (legal, why) = validate(&write("snippet.yaml", snippet.text));
        assert!(legal, "{}: {why}", snippet.name);
    }
    let (legal, _) = validate(&write("wrong.yaml", "processors:\n  batch: {timeout_of_nobody: 1s}\n"));
    assert!(!legal, "the check can fail");
}

#[test]
fn risks_are_ranked_with_their_arithmetic_and_a_bar_ends_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storm.binpb").to_str().unwrap().to_owned();
    succeed(&mut stopbank(&["generate", "--rate", "2500", "--for", "40s", "--seed", "7", "--out", &path]));
    let output = succeed(&mut stopbank(&["risks", &path, "--format", "json"]));
    let found = report(&output);
    let risks = found["risks"].as_array().unwrap();
    let costs: Vec<f64> = risks.iter().map(|risk| risk["cost_rps"].as_f64().unwrap()).collect();
    assert!(costs.is_sorted_by(|a, b| a >= b), "{found}");
    // The shop's own story: a slow inventory, callers that try three times, and too little room for it.
    let told = |kind: &str| {
        risks.iter().any(|risk| risk["kind"] == kind && risk["subject"].as_str().unwrap().contains("inventory"))
    };
    assert!(told("retries_above_capacity"), "{found}");
    assert!(
        risks.iter().all(
            |risk| !risk["arithmetic"].as_str().unwrap().is_empty() && !risk["change"].as_str().unwrap().is_empty()
        )
    );
    let barred = stopbank(&["risks", &path, "--fail-over", "1"]).output().unwrap();
    assert_eq!(barred.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&barred.stdout).contains("reckon"), "the text is printed all the same");
}

#[test]
fn risks_are_told_of_live_topics_and_of_what_lies_on_them() {
    let Some(broker) = real_broker() else { return };
    let topics = broker.topics("risks");
    let (brokers, topic) = (&broker.connection.brokers, &topics.traces[0]);
    broker.create_topic(topic, 3);
    let on = |arguments: &[&str]| {
        let mut command = stopbank(arguments);
        command.args(["--brokers", brokers, "--topic", topic]);
        command
    };
    let mut generator = Running::silent(&mut on(&["generate", "--rate", "1000", "--for", "25s", "--seed", "7"]));
    let live = report(&succeed(&mut on(&["risks", "--for", "6s", "--format", "json"])));
    let seconds = live["seconds"].as_f64().unwrap();
    assert!((1.0..9.0).contains(&seconds), "what came while it listened: {live}");
    assert!(live["services"].as_u64() >= Some(5) && live["entry_rps"].as_f64() > Some(10.0), "{live}");

    assert!(generator.0.wait().unwrap().success());
    let old = report(&succeed(&mut on(&["risks", "--from-beginning", "--for", "60s", "--format", "json"])));
    assert!(old["seconds"].as_f64() > Some(20.0), "from the oldest record on: {old}");
    let told = |risk: &Value| {
        risk["kind"] == "multiplied_retries" && risk["subject"].as_str().is_some_and(|path| path.contains("inventory"))
    };
    assert!(old["risks"].as_array().unwrap().iter().any(told), "the shop's storm lies there: {old}");

    let missing = stopbank(&["risks", "--brokers", brokers, "--topic", "nobody-has-made-this", "--for", "5s"]);
    assert_eq!({ missing }.output().unwrap().status.code(), Some(1));
    let nobody = stopbank(&["risks", "--brokers", "127.0.0.1:1", "--for", "5s"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{}", String::from_utf8_lossy(&nobody.stderr));
}
