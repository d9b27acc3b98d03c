//! Properties of librdkafka: any passes through, unknown ones are named with a suggestion, secrets are hidden.

use std::collections::BTreeMap;

/// Any librdkafka properties, by name.
pub type Properties = BTreeMap<String, String>;

/// The same properties with the values of secret ones replaced by `***`, for dumps and logs.
#[allow(clippy::todo)]
pub fn hide_secrets(_properties: &Properties) -> Properties {
    todo!()
}
