//! `stopbank lab` as it is typed: a small scoreboard with every policy, the same bytes whatever the number of threads.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stopbank(arguments: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stopbank")).args(arguments).current_dir(dir).output().expect("the program starts")
}

/// A folder of its own with copies of these scenarios.
fn folder(name: &str, scenarios: &[&str]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the folder can be made");
    for scenario in scenarios {
        let text = lab::scenario::toml(scenario).expect("it comes with the program");
        fs::write(dir.join(format!("{scenario}.toml")), text).expect("the folder is writable");
    }
    dir
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

#[test]
fn what_a_suite_prints_does_not_depend_on_the_number_of_threads() {
    let dir = folder("lab-threads", &["retry-storm", "slow-with-room"]);
    let suite = |threads: &str| {
        let policies = "none,throttle,stopbank";
        let arguments =
            ["--format", "json", "lab", "suite", ".", "--seeds", "2", "--policies", policies, "--threads", threads];
        stopbank(&arguments, &dir)
    };
    let one = suite("1");
    assert_eq!(lines(&one).len(), 2 * 3 + 3);
    assert_eq!(one.stdout, suite("3").stdout);
}

#[test]
fn a_small_scoreboard_with_everybody_is_made_by_one_command() {
    let dir = folder("lab-suite", &["retry-storm", "steady"]);
    let arguments = ["--format", "json", "lab", "suite", ".", "--seeds", "2", "--scoreboard", "one"];
    let cells = lines(&stopbank(&arguments, &dir));
    assert_eq!(cells.len(), 2 * 12 + 12, "every scenario and policy, and the means over scenarios");
    for cell in &cells {
        let (scores, policy) = (&cell["scores"], &cell["policy"]);
        assert!(scores["value_share"]["mean"].is_f64(), "{cell}");
        assert!(cell["minus_guard_alone"]["value_lost"]["mean"].is_f64(), "{cell}");
        if policy == "none" {
            assert_eq!(scores["harm"]["mean"], 0.0, "who refuses nothing does no harm");
        }
    }
    let value = |policy: &str| {
        let storm = cells.iter().find(|cell| cell["scenario"] == "retry-storm" && cell["policy"] == policy);
        storm.expect("it was run")["scores"]["value_share"]["mean"].as_f64().expect("a number")
    };
    assert!(value("none") < 0.5 && value("stopbank") > 0.9 && value("clairvoyant") >= value("stopbank") - 0.005);
    let (markdown, json) = (fs::read_to_string(dir.join("one.md")), fs::read_to_string(dir.join("one.json")));
    let (markdown, json) = (markdown.expect("it was written"), json.expect("it was written"));
    assert!(markdown.contains("stopbank lab suite . --seeds 2 --scoreboard one"), "the command stands beside it");
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["scenarios"].as_array().map(Vec::len), Some(24));
}

#[test]
fn one_run_tells_its_story_and_writes_a_page() {
    let dir = folder("lab-run", &["gray-instance"]);
    let arguments = [
        "--format",
        "json",
        "lab",
        "run",
        "gray-instance.toml",
        "--policy",
        "none,stopbank",
        "--seed",
        "3",
        "--report",
        "r.html",
    ];
    let told = lines(&stopbank(&arguments, &dir));
    let of =
        |kind: &str, policy: &str| told.iter().filter(|line| line["type"] == kind && line["policy"] == policy).count();
    assert_eq!((of("second", "none"), of("scores", "none"), of("command", "none")), (120, 1, 0));
    assert_eq!((of("second", "stopbank"), of("scores", "stopbank")), (120, 1));
    assert!(of("finding", "stopbank") > 0 && of("command", "stopbank") > 0);
    let page = fs::read_to_string(dir.join("r.html")).expect("it was written");
    assert!(page.starts_with("<!doctype html>") && page.contains("--policy none,stopbank --seed 3"));
}

#[test]
fn what_is_not_known_is_said_with_what_is() {
    let dir = folder("lab-wrong", &[]);
    let unknown = stopbank(&["lab", "run", "retry-strom"], &dir);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said.contains("retry-strom") && said.contains("retry-storm"), "{said}");
    let policy = stopbank(&["lab", "run", "retry-storm", "--policy", "best"], &dir);
    assert!(String::from_utf8_lossy(&policy.stderr).contains("guard-alone"));
    let empty = stopbank(&["lab", "suite", "."], &dir);
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("there is no scenario"));
}
