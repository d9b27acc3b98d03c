//! JSON Schemas (2020-12) of everything that stands on a topic, generated from the types.

use serde_json::Value;

/// Every schema as (file name in `schemas/`, schema).
pub fn schemas() -> Vec<(String, Value)> {
    Vec::new()
}
