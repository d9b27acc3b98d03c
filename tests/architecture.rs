//! The crate table in `ARCHITECTURE.md` is binding: a dependency that it does not name fails here.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Small pure libraries that every crate may use.
const EVERYBODY: &[&str] =
    &["serde", "libm", "thiserror", "postcard", "hashbrown", "flate2", "zstd", "base64", "schemars", "tracing"];

struct Row {
    ours: BTreeSet<String>,
    others: BTreeSet<String>,
    everything: bool,
}

#[test]
fn every_crate_depends_only_on_what_the_table_allows() {
    let table = table();
    let packages = packages();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (name, dependencies) in &packages {
        let Some(row) = table.get(name) else {
            wrong.push(format!("{name}: has no row in the table of ARCHITECTURE.md"));
            continue;
        };
        for dependency in dependencies {
            let allowed = if ours.contains(dependency.as_str()) {
                row.everything || dependency == "model" || row.ours.contains(dependency)
            } else {
                EVERYBODY.contains(&dependency.as_str()) || row.others.iter().any(|other| covers(other, dependency))
            };
            if !allowed {
                wrong.push(format!("{name} -> {dependency}: not in the table of ARCHITECTURE.md"));
            }
        }
    }
    for name in table.keys() {
        if !ours.contains(name.as_str()) {
            wrong.push(format!("{name}: stands in the table but not under crates/ or examples/"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_heavy_ones_stay_in_their_rooms() {
    let rooms = [
        ("actix", &["runtime"][..]),
        ("rdkafka", &["kafka"][..]),
        ("axum", &["console", "fleet"][..]),
        ("clap", &["stopbank", "fleet"][..]),
        ("rand", &["lab"][..]),
    ];
    let packages = packages();
    for (heavy, allowed) in rooms {
        for (name, dependencies) in &packages {
            let has = dependencies.iter().any(|dependency| dependency == heavy);
            assert!(
                !has || allowed.contains(&name.as_str()),
                "{name} depends on {heavy}, which belongs to {allowed:?}"
            );
        }
    }
}

#[test]
fn the_pure_core_reaches_no_runtime_even_indirectly() {
    let core = ["model", "window", "graph", "learn", "detect", "decide", "engine", "control", "admission"];
    for name in core {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo tree starts");
        assert!(tree.status.success(), "cargo tree -p {name}: {}", String::from_utf8_lossy(&tree.stderr));
        let names = String::from_utf8_lossy(&tree.stdout);
        let names: BTreeSet<&str> = names.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.contains(name), "the tree of {name} names {name}");
        for forbidden in ["tokio", "actix", "rdkafka", "axum", "hyper"] {
            assert!(!names.contains(forbidden), "{name} reaches {forbidden}");
        }
    }
}

/// `linfa*` covers `linfa-linear`.
fn covers(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |stem| name.starts_with(stem))
}

/// The rows of the first table of ARCHITECTURE.md whose head is `| crate |`.
fn table() -> BTreeMap<String, Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).expect("ARCHITECTURE.md is readable");
    let rows = text.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for line in rows {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()).filter(|name| name != "-").collect()
        };
        let row = Row { ours: names(cells[2]), others: names(cells[3]), everything: cells[2] == "everything" };
        table.insert(cells[0].trim_matches('`').to_owned(), row);
    }
    assert!(table.len() >= 15, "the table of ARCHITECTURE.md was found");
    table
}

/// `cargo run` has to know which program it means, as long as more than one package at the root has one.
#[test]
fn the_readmes_command_finds_the_program() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages is a list");
    let defaults: Vec<_> = packages.iter().filter_map(|package| package["default_run"].as_str()).collect();
    assert_eq!(defaults, ["stopbank"], "`cargo run -- demo` needs exactly one `default-run` in this workspace");
}

/// Our crates and their direct dependencies (normal and build, not dev).
fn packages() -> BTreeMap<String, Vec<String>> {
    let metadata = metadata();
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages is a list") {
        let name = package["name"].as_str().expect("a package has a name");
        if name == "acceptance" {
            continue;
        }
        let dependencies = package["dependencies"].as_array().expect("dependencies is a list").iter();
        let dependencies = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
        let dependencies = dependencies.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned);
        packages.insert(name.to_owned(), dependencies.collect());
    }
    packages
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}
