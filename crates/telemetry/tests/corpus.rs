//! Odd but legal records of OTLP, Jaeger and Zipkin, one file each, with the facts that must be read from it beside it.
//!
//! `NAME.json` or `NAME.binpb` is the record, `NAME.facts` one line a span and one a kind of oddity. `FACTS=write` writes them anew;
//! look at what changed before you commit it.
#![allow(clippy::disallowed_methods)] // a test reads files and computes what it expects as it likes
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;
use telemetry::Encoding;

#[test]
fn every_record_of_the_corpus_is_read_as_its_facts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut records: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json" || extension == "binpb"))
        .collect();
    records.sort();
    assert!(records.len() >= 15, "{records:?}");
    for record in records {
        let payload = fs::read(&record).expect("a readable file");
        let found = match common::read(Encoding::Auto, &payload) {
            Ok(facts) => {
                let mut lines: Vec<String> = facts.spans.iter().map(|span| common::line(&facts, span)).collect();
                lines.extend(facts.oddities.iter().map(|(oddity, count)| format!("odd: {} {count}", oddity.as_str())));
                lines.push(String::new());
                lines.join("\n")
            }
            Err(poison) => panic!("{}: {poison}", record.display()),
        };
        let beside = record.with_extension("facts");
        if std::env::var_os("FACTS").is_some() {
            fs::write(&beside, &found).expect("a writable folder");
        }
        let wanted = fs::read_to_string(&beside).expect("facts beside the record");
        assert_eq!(found, wanted, "{}", record.display());
    }
}
