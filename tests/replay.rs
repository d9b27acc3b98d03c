//! Promise: the same file gives the same bytes, and a capture of a cascade gives findings and commands.

mod support;

use serde_json::Value;
use std::path::Path;
use support::{lines, stopbank, succeed, summary};

/// The fault begins at 20 s: what is normal must be known by then.
const WARM_UP: (&str, &str) = ("STOPBANK_ENGINE_WARM_UP", "12s");

fn generate(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let path = folder.join(name).to_str().unwrap().to_owned();
    let output = succeed(stopbank(&["generate", "--format", "json", "--out", &path]).args(arguments));
    assert!(summary(&output.stdout)["spans"].as_u64().unwrap() > 0);
    path
}

#[test]
fn the_same_capture_gives_the_same_bytes_in_every_encoding_and_compression() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = ["--rate", "2500", "--for", "45s", "--seed", "7"];
    let json = [&scenario[..], &["--encoding", "otlp_json"]].concat();
    let captures = [
        generate(folder.path(), "a.binpb", &scenario),
        generate(folder.path(), "b.binpb.zst", &scenario),
        generate(folder.path(), "c.jsonl.gz", &json),
    ];
    let replay = |path: &str| succeed(stopbank(&["replay", path, "--format", "json"]).env(WARM_UP.0, WARM_UP.1)).stdout;
    let outputs: Vec<_> = captures.iter().map(|path| replay(path)).collect();
    assert!(outputs[0] == replay(&captures[0]), "twice the same file, the same bytes");
    assert!(outputs[0] == outputs[1], "compression changes nothing");
    assert!(outputs[0] == outputs[2], "the encoding changes nothing");
    let told = lines(&outputs[0]);
    let of = |kind: &str| told.iter().filter(|line| line["type"] == kind).count();
    assert!(of("finding") > 0, "the cascade is found");
    assert!(of("command") > 0, "and what would be commanded is said");
    assert!(told.iter().filter(|line| line["type"] == "command").all(|line| line["mode"] == "observe"));
}

#[test]
fn a_healthy_capture_gives_no_finding_and_a_baseline_spares_the_warm_up() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = generate(folder.path(), "healthy.binpb", &["--rate", "2500", "--for", "19s"]);
    let output = succeed(&mut stopbank(&["replay", &healthy, "--format", "json"]));
    assert_eq!(summary(&output.stdout)["findings"], 0);
    let incident = generate(folder.path(), "incident.binpb", &["--rate", "2500", "--for", "45s", "--seed", "3"]);
    // The fault begins before thirty seconds have been learned from: alone, the capture is judged by nothing.
    let found = |arguments: &[&str]| {
        let output = succeed(stopbank(&["replay", &incident, "--format", "json"]).args(arguments));
        summary(&output.stdout)["findings"].as_u64().unwrap()
    };
    assert_eq!(found(&[]), 0);
    assert!(found(&["--baseline", &healthy]) > 0);
}

#[test]
fn a_ranking_has_the_form_that_scorers_read() {
    let folder = tempfile::tempdir().unwrap();
    let incident = generate(folder.path(), "incident.binpb", &["--rate", "2500", "--for", "35s"]);
    let onset = (1_750_000_000 + 20).to_string();
    let output = succeed(&mut stopbank(&["rank", &incident, "--at", &onset, "--format", "json"]));
    let told = lines(&output.stdout);
    assert_eq!(told.len(), 1);
    let ranking = told[0]["ranking"].as_array().unwrap();
    assert_eq!(told[0]["file"], "incident.binpb");
    assert!(told[0]["abstained"].is_boolean());
    let scores: Vec<f64> = ranking.iter().map(|one| one["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let named = |one: &Value| one["service"].as_str().map(str::to_owned);
    assert_eq!(ranking.first().and_then(named).as_deref(), Some("inventory"), "the slow service is the origin");
}

#[test]
fn a_file_that_is_no_capture_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readme.txt");
    std::fs::write(&path, "this is not telemetry").unwrap();
    let output = stopbank(&["replay", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("readme.txt"));
}
