//! `schemas/risks.schema.json` is what the types say, and assessments follow it.
#![allow(clippy::disallowed_methods)] // a test reads and writes files
#![allow(missing_docs)]

use std::path::Path;

#[test]
fn the_schema_is_what_the_types_say() {
    for (file, schema) in risk::schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{file}");
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(&file);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let same = std::fs::read_to_string(&path).is_ok_and(|found| found == wanted);
        assert!(same, "schemas/{file} is not what the types say; UPDATE_SCHEMAS=1 writes it anew");
        let nothing = risk::assess(&risk::Fleet::default(), "nothing");
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&serde_json::to_value(nothing).unwrap()));
    }
}
