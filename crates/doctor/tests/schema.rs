//! `schemas/doctor.schema.json` is what the types say, and reports follow it.
#![allow(clippy::disallowed_methods)] // a test reads and writes files
#![allow(missing_docs)]

use doctor::{Examination, ExaminationConfig, Source};
use std::path::Path;
use telemetry::Encoding;

#[test]
fn the_schema_is_what_the_types_say() {
    for (file, schema) in doctor::schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{file}");
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(&file);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let same = std::fs::read_to_string(&path).is_ok_and(|found| found == wanted);
        assert!(same, "schemas/{file} is not what the types say; UPDATE_SCHEMAS=1 writes it anew");
    }
}

#[test]
fn reports_follow_the_schema() {
    let (_, schema) = doctor::schemas().remove(0);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let record = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"x","kind":2,"startTimeUnixNano":"1750000000000000000","endTimeUnixNano":"1750000000100000000"}]}]}]}"#;
    for records in [&[][..], &[&record[..]], &[&record[..], b"not telemetry"]] {
        let mut examination = Examination::new(ExaminationConfig::default());
        for record in records {
            let from = Source { topic: "spans", partition: 0, arrival_ms: None };
            drop(examination.record(from, Encoding::Auto, record));
        }
        let report = serde_json::to_value(examination.report("spans")).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{report:#}");
    }
}
