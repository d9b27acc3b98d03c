//! Promise: the demo shows a fleet that goes down and is brought back; the same seed without commands stays down.

mod support;

use serde_json::Value;
use support::{lines, stopbank, succeed};

fn demo(arguments: &[&str]) -> (Vec<Value>, Value) {
    let output = succeed(stopbank(&["demo", "--format", "json"]).args(arguments));
    let told = lines(&output.stdout);
    let summary = told.last().expect("the demo says something").clone();
    assert_eq!(summary["type"], "summary", "{summary}");
    (told, summary)
}

fn number(summary: &Value, name: &str) -> f64 {
    summary[name].as_f64().unwrap_or_else(|| panic!("{name} is a number in {summary}"))
}

#[test]
fn with_commands_goodput_falls_and_comes_back() {
    let (told, summary) = demo(&[]);
    let healthy = number(&summary, "goodput_healthy_rps");
    assert_eq!(summary["policy"], "with");
    assert!(healthy > 100.0, "{summary}");
    assert!(number(&summary, "goodput_worst_rps") < 0.8 * healthy, "the fault is felt: {summary}");
    assert!(number(&summary, "goodput_final_rps") >= 0.9 * healthy, "it comes back: {summary}");
    assert!(number(&summary, "time_to_detect_ms") < 12_000.0, "{summary}");
    assert!(number(&summary, "findings") >= 1.0 && number(&summary, "commands") >= 1.0, "{summary}");
    assert_eq!(summary["poison"], 0, "{summary}");
    let before = |line: &&Value| line["type"] == "second" && line["at_ms"].as_u64().unwrap_or(0) < 19_000;
    let alarms = told.iter().filter(before).filter(|line| line["findings"] != 0).count();
    assert_eq!(alarms, 0, "nothing is found while the fleet is healthy");
}

#[test]
fn without_commands_goodput_stays_down() {
    let (_, summary) = demo(&["--without"]);
    assert_eq!(summary["policy"], "without");
    let healthy = number(&summary, "goodput_healthy_rps");
    assert!(number(&summary, "goodput_final_rps") < 0.35 * healthy, "the storm sustains itself: {summary}");
    assert!(number(&summary, "findings") >= 1.0, "it is seen all the same: {summary}");
}
