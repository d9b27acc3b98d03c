//! The JSON Schema (2020-12) of the assessment, generated from the types. Feature `schema`.

use crate::Assessment;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema as (file name in `schemas/`, schema).
pub fn schemas() -> Vec<(String, Value)> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Assessment>().to_value();
    schema["$id"] = json!("urn:stopbank:schema:risks:v1");
    schema["title"] = json!("stopbank risks");
    schema["description"] = json!("What `stopbank risks --format json` prints.");
    one_line(&mut schema);
    vec![("risks.schema.json".to_owned(), schema)]
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
