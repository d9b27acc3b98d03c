//! `schemas/scenario.schema.json` is what the types say, and every scenario and topology file follows it.
//!
//! After a deliberate change: `UPDATE_SCHEMAS=1 cargo test -p lab --test scenario`, then read the difference.

use lab::scenario;

fn value(toml: &str) -> serde_json::Value {
    serde_json::to_value(toml.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn the_schema_is_what_the_types_say() {
    for (file, schema) in scenario::schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{file}");
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = crate::path("schemas").join(&file);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let same = std::fs::read_to_string(&path).unwrap_or_default() == wanted;
        assert!(same, "schemas/{file} is not what the types say; UPDATE_SCHEMAS=1 writes it anew");
    }
}

#[test]
fn files_follow_the_schema_and_mistakes_do_not() {
    let (_, mut schema) = scenario::schemas().remove(0);
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in scenario::names() {
        let file = value(scenario::toml(name).unwrap());
        let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let wrong = scenario::toml("steady").unwrap().replace("rate_rps", "rate_rsp");
    assert!(!validator.is_valid(&value(&wrong)));
    // a topology file is the same without the table
    schema["required"] = serde_json::json!(["name"]);
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in lab::builtin_names() {
        assert!(validator.is_valid(&value(lab::builtin_toml(name).unwrap())), "{name}");
    }
}
