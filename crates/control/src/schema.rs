//! JSON Schemas (2020-12) of everything that stands on a topic, generated from the types. Feature `schema`.

use crate::{AuditWire, Claim, CommandWire, DeadLetter, JournalHeader, Kind};
use model::{Finding, GuardReport, Order};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Every schema as (file name in `schemas/`, schema), sorted by name. A proposal has the schema of a command.
pub fn schemas() -> Vec<(String, Value)> {
    let mut command = schema::<CommandWire>(Kind::Command);
    command["oneOf"] = json!([
        { "required": ["setting"], "properties": { "released": { "const": false } } },
        { "required": ["released"], "properties": { "released": { "const": true }, "setting": { "type": "null" } } }
    ]);
    let mut all = vec![
        (Kind::Command, command),
        (Kind::Finding, schema::<Finding>(Kind::Finding)),
        (Kind::Report, schema::<GuardReport>(Kind::Report)),
        (Kind::Order, schema::<Order>(Kind::Order)),
        (Kind::Audit, schema::<AuditWire>(Kind::Audit)),
        (Kind::Claim, schema::<Claim>(Kind::Claim)),
        (Kind::Journal, schema::<JournalHeader>(Kind::Journal)),
        (Kind::DeadLetter, schema::<DeadLetter>(Kind::DeadLetter)),
    ];
    all.sort_by_key(|(kind, _)| kind.as_str());
    all.into_iter().map(|(kind, schema)| (format!("{}.schema.json", kind.as_str()), schema)).collect()
}

fn schema<T: JsonSchema>(kind: Kind) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["$id"] = json!(format!("urn:stopbank:schema:{}:v1", kind.as_str()));
    schema["title"] = json!(format!("stopbank {}", kind.as_str()));
    tighten(&mut schema);
    schema
}

/// What the types do not say: the ranges of shares, as the decoder enforces them. Descriptions become one line each.
fn tighten(node: &mut Value) {
    match node {
        Value::Object(fields) => {
            if let Some(text) = fields.get_mut("description").filter(|text| text.is_string()) {
                *text = json!(text.as_str().unwrap_or_default().replace('\n', " "));
            }
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties.iter_mut().filter(|(_, property)| property.is_object()) {
                    match name.as_str() {
                        "fraction_permille" => property["maximum"] = json!(1000),
                        "share_percent" | "at_once_percent" => property["maximum"] = json!(100),
                        _ => {}
                    }
                }
            }
            fields.values_mut().for_each(tighten);
        }
        Value::Array(items) => items.iter_mut().for_each(tighten),
        _ => {}
    }
}
