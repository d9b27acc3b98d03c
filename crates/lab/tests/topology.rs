//! What is wrong with a topology file is said with its line and how to mend it.

use lab::{Topology, builtin, builtin_names};

const GOOD: &str = r#"name = "small"

[[service]]
name = "front"
workers = 4

[[service.operation]]
name = "GET /"
mean_us = 1000

[[service.operation.call]]
to = "back"
operation = "GET /one"

[[service]]
name = "back"
workers = 2
operation = [{ name = "GET /one", mean_us = 500 }, { name = "GET /two", mean_us = 700 }]

[[client]]
name = "users"
to = "front"
rate_rps = 10
criticality = "CRITICAL"

[[fault]]
kind = "slow"
service = "back"
factor = 3
start_s = 1
duration_s = 2
"#;

fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from));
    let wrong = GOOD.replacen(from, to, 1);
    Topology::from_toml(&wrong).expect_err("the topology is wrong").to_string()
}

#[test]
fn the_built_in_ones_and_the_example_are_good() {
    assert!(Topology::from_toml(GOOD).is_ok());
    assert!(builtin_names().all(|name| builtin(name).is_some()));
    assert!(builtin("shpo").is_none());
    assert_eq!(builtin("twelve").map(|topology| topology.service.len()), Some(12));
}

#[test]
fn misspelt_keys_and_values_are_named_with_a_suggestion() {
    let message = error("rate_rps", "rate_rsp");
    assert!(message.starts_with("line 23: ") && message.contains("did you mean `rate_rps`?"), "{message}");
    let message = error("workers = 4", "wrokers = 4");
    assert!(message.starts_with("line 5: ") && message.contains("did you mean `workers`?"), "{message}");
    let message = error("\"slow\"", "\"slwo\"");
    assert!(message.contains("line 27") && message.contains("did you mean `slow`?"), "{message}");
    let message = error("\"CRITICAL\"", "\"CRITICL\"");
    assert!(message.contains("line 24") && message.contains("did you mean `CRITICAL`?"), "{message}");
}

#[test]
fn names_that_nothing_has_are_named_with_a_suggestion() {
    let message = error("to = \"back\"", "to = \"bakc\"");
    assert!(message.contains("line 12") && message.contains("did you mean `back`?"), "{message}");
    let message = error("operation = \"GET /one\"", "operation = \"GET /on\"");
    assert!(message.contains("line 13") && message.contains("did you mean `GET /one`?"), "{message}");
    let message = error("operation = \"GET /one\"\n", "\n");
    assert!(message.contains("several operations") && message.contains("GET /two"), "{message}");
    let message = error("service = \"back\"", "service = \"elsewhere\"");
    assert!(message.contains("line 28") && message.contains("known: front, back"), "{message}");
}

#[test]
fn impossible_values_are_refused() {
    for (from, to, part) in [
        ("workers = 4", "workers = 0", "workers must be at least 1"),
        ("mean_us = 1000", "mean_us = -1", "mean_us must be above 0"),
        ("rate_rps = 10", "rate_rps = 0", "rate_rps must be above 0"),
        ("factor = 3", "share = 0.5", "needs `factor`"),
        ("kind = \"slow\"", "kind = \"errors\"", "needs `share`"),
        ("name = \"back\"", "name = \"front\"", "stands twice"),
        ("factor = 3", "factor = 3\ninstance = 1", "numbered from 0"),
        ("workers = 4", "workers = \"four\"", "line 5"),
        ("name = \"small\"", "name = small", "line 1"),
        ("to = \"back\"\noperation = \"GET /one\"", "to = \"front\"", "calls itself"),
    ] {
        let message = error(from, to);
        assert!(message.contains(part), "{to}: {message}");
    }
}
