//! The JSON Schema (2020-12) of scenario files, generated from the types. Feature `schema`.

use crate::topology::Topology;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema as (file name in `schemas/`, schema). A topology file is a scenario without the table `[scenario]`.
pub fn schemas() -> Vec<(String, Value)> {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Topology>().to_value();
    schema["$id"] = json!("urn:stopbank:schema:scenario:v1");
    schema["title"] = json!("stopbank scenario");
    schema["description"] = json!("A fleet, its load, its faults, and what counts as success.");
    schema["required"] = json!(["name", "scenario", "service", "client"]);
    one_line(&mut schema);
    vec![("scenario.schema.json".to_owned(), schema)]
}

/// Descriptions become one line each.
fn one_line(node: &mut Value) {
    match node {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            fields.values_mut().for_each(one_line);
        }
        Value::Array(items) => items.iter_mut().for_each(one_line),
        _ => {}
    }
}
