//! `schemas/asyncapi.yaml` names every topic, and every reference in it leads somewhere.

use crate::schemas_dir;
use control::Kind;

/// The topics of the contract, with their cleanup policy.
const TOPICS: [(&str, &str); 12] = [
    ("otlp_spans", ""),
    ("otlp_metrics", ""),
    ("stopbank.control", "compact"),
    ("stopbank.proposals", "delete"),
    ("stopbank.findings", "delete"),
    ("stopbank.reports", "delete"),
    ("stopbank.orders", "delete"),
    ("stopbank.audit", "delete"),
    ("stopbank.journal", "delete"),
    ("stopbank.snapshots", "compact"),
    ("stopbank.claims", "compact"),
    ("stopbank.dead-letter", "delete"),
];

fn document() -> String {
    std::fs::read_to_string(schemas_dir("asyncapi.yaml")).expect("schemas/asyncapi.yaml is there")
}

/// The paths of all mapping keys, by indentation: the document keeps to plain block mappings.
fn paths(document: &str) -> Vec<String> {
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut paths = Vec::new();
    for line in document.lines() {
        let text = line.trim_start().trim_start_matches("- ");
        let Some((name, _)) = text.split_once(':').filter(|_| !text.starts_with('#')) else { continue };
        let indent = line.len() - text.len();
        open.retain(|(at, _)| *at < indent);
        open.push((indent, name.trim_matches('\'').to_owned()));
        paths.push(open.iter().map(|(_, name)| format!("/{name}")).collect());
    }
    paths
}

#[test]
fn every_topic_is_described_with_its_cleanup_policy() {
    let document = document();
    assert!(document.starts_with("asyncapi: 3.0.0\n"));
    for (topic, cleanup) in TOPICS {
        let (_, channel) = document.split_once(&format!("    address: {topic}\n")).expect(topic);
        let end = channel.find("    address: ").unwrap_or(channel.len());
        if !cleanup.is_empty() {
            let policy = format!("cleanup.policy: [{cleanup}]");
            assert!(channel[..end].contains(&policy), "{topic}: {policy}");
        }
    }
    assert_eq!(document.matches("    address: ").count(), TOPICS.len(), "no topic that is not in the list");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referenced() {
    let document = document();
    let paths = paths(&document);
    let references = document.lines().filter_map(|line| line.split_once("$ref: ")).map(|(_, to)| to.trim_matches('\''));
    let mut files = Vec::new();
    for reference in references {
        match reference.strip_prefix('#') {
            Some(path) => assert!(paths.iter().any(|known| known == path), "{reference}"),
            None => {
                assert!(schemas_dir(reference).is_file(), "{reference}");
                files.push(reference.trim_start_matches("./").to_owned());
            }
        }
    }
    for (file, _) in control::schemas() {
        assert!(files.contains(&file), "{file} is referenced");
    }
}

#[test]
fn every_kind_of_event_is_a_message() {
    let document = document();
    for kind in Kind::ALL {
        assert!(document.contains(&format!("const: {}\n", kind.event_type())), "{}", kind.event_type());
    }
}
