//! Promise: `stopbank bench` measures on any machine, its numbers agree with each other, and two runs can be compared.

mod support;

use serde_json::Value;
use support::{lines, stopbank, succeed};

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is a number in {value}"))
}

#[test]
fn a_short_bench_on_the_embedded_broker_gives_numbers_that_agree_with_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["bench", "--mix", "plain", "--window", "1s", "--trials", "2", "--spans", "60000", "--format", "json"];
    let output = succeed(&mut stopbank(&short));
    let report = lines(&output.stdout).pop().expect("a last line");
    assert_eq!((report["type"].as_str(), report["broker"].as_str()), (Some("bench"), Some("embedded")));
    let mix = &report["mixes"][0];

    for work in ["/replay", "/live/backlog", "/live/steady"] {
        let of = |field: &str| number(mix, &format!("{work}/{field}"));
        let (spans, seconds, cpu_s) = (of("spans"), of("seconds"), of("cpu_s"));
        assert!(spans > 0.0 && seconds > 0.0, "{work}: {mix}");
        assert!((of("spans_per_s") - spans / seconds).abs() <= 1e-6 * of("spans_per_s"), "{work}");
        assert!((of("cpu_s_per_million") - cpu_s * 1e6 / spans).abs() <= 1e-6 * of("cpu_s_per_million"), "{work}");
        let cores = number(&report, "/cores");
        assert!(cpu_s <= seconds * cores + 0.5, "{work}: {cpu_s} s of CPU in {seconds} s on {cores} cores");
    }
    assert!(number(mix, "/live/edges") > 100.0, "the mix has some 200 edges: {mix}");
    assert!(number(mix, "/replay/spans") >= 60_000.0);
    // What was read before the first look is not timed.
    assert!(number(mix, "/live/backlog/spans") > 0.0, "the backlog is read: {mix}");
    let trials = mix["live"]["trials"].as_array().expect("a list");
    assert_eq!(trials.len(), 2);
    let sustained = number(mix, "/live/sustained_spans_per_s");
    let best = trials.iter().filter(|trial| trial["sustained"] == true).map(|trial| number(trial, "/offered_per_s"));
    assert_eq!(best.fold(0.0, f64::max), sustained, "the best trial is what is told");
    assert!(number(mix, "/live/step/count") >= 1.0, "windows were closed under the steady load: {mix}");
    assert!(number(mix, "/live/step/p50_ms") <= number(mix, "/live/step/p99_ms"));
    let disarm_ms = number(mix, "/live/disarm_ms");
    assert!(disarm_ms > 0.0, "a person disarmed it under load");
    assert!((10.0..4096.0).contains(&number(mix, "/live/max_rss_mib")));

    let saved = folder.path().join("run.json");
    std::fs::write(&saved, &output.stdout).unwrap();
    let path = saved.to_str().unwrap();
    let same = succeed(&mut stopbank(&["bench", "--compare", path, "--with", path, "--format", "json"]));
    let comparison = lines(&same.stdout).into_iter().next().expect("a first line");
    let changes = comparison["changes"].as_array().expect("a list");
    assert!(changes.len() >= 10 && changes.iter().all(|change| change["better"].is_null()), "{comparison}");
    let table = succeed(&mut stopbank(&["bench", "--compare", path, "--with", path])).stdout;
    let table = String::from_utf8_lossy(&table);
    assert!(table.contains("sustained") && table.contains("1.00 x"), "{table}");
}
