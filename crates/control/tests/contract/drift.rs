//! `schemas/*.schema.json` are generated from the types.

use crate::check_file;

#[test]
fn schemas_are_what_the_types_say() {
    for (file, schema) in control::schemas() {
        check_file(&file, (serde_json::to_string_pretty(&schema).unwrap() + "\n").as_bytes());
    }
}

#[test]
fn schemas_are_legal_2020_12() {
    for (file, schema) in control::schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{file}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}
