//! Every setting by environment variable: `STOPBANK_` + section + `_` + key, in capitals.
//!
//! The variables that scripts use most have short names. A variable that begins with `STOPBANK_` and is not a setting is
//! an error: a slip of the pen must not silently leave the default in place.

use super::error::{Complaint, closest};
use super::read::hint;
use super::{Config, ConfigError};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Short name → the setting it stands for.
const SHORT: [(&str, &str); 7] = [
    ("STOPBANK_BROKERS", "STOPBANK_KAFKA_BROKERS"),
    ("STOPBANK_TRACES_TOPICS", "STOPBANK_TELEMETRY_TRACES_TOPICS"),
    ("STOPBANK_METRICS_TOPICS", "STOPBANK_TELEMETRY_METRICS_TOPICS"),
    ("STOPBANK_CONTROL_TOPIC", "STOPBANK_TOPICS_CONTROL"),
    ("STOPBANK_GROUP", "STOPBANK_KAFKA_GROUP"),
    ("STOPBANK_MODE", "STOPBANK_ENGINE_MODE"),
    ("STOPBANK_DOMAIN", "STOPBANK_DOMAIN_NAME"),
];

/// Variables with that prefix that are not settings.
const OURS: [&str; 2] = ["STOPBANK_CONFIG", "STOPBANK_FORMAT"];

/// Lays the variables over the configuration.
pub(super) fn overlay(config: Config, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let mut table = Table::try_from(&config).expect("the configuration's types are all TOML");
    let settings = settings(&table);
    let mut set_by = Vec::new();
    for (variable, text) in variables.iter().filter(|(name, _)| name.starts_with("STOPBANK_")) {
        if OURS.contains(&variable.as_str()) || variable.starts_with("STOPBANK_TEST_") {
            continue;
        }
        let long = SHORT.iter().find(|(short, _)| short == variable).map_or(variable.as_str(), |(_, long)| long);
        let Some((section, key)) = settings.get(long) else {
            let known = settings.keys().map(String::as_str).chain(SHORT.iter().map(|(short, _)| *short));
            let hint = closest(variable, known).map(|meant| format!("did you mean `{meant}`?"));
            return Err(complaint(variable, "is not a setting of stopbank", hint));
        };
        let value = value(&table, section, key.as_deref(), variable, text)?;
        set(&mut table, section, key.as_deref(), value);
        set_by.push(variable.as_str());
    }
    if set_by.is_empty() {
        return Ok(config);
    }
    table.try_into().map_err(|error: toml::de::Error| {
        let what = error.message().trim().to_owned();
        complaint(&set_by.join(", "), &what, hint(&what))
    })
}

/// Variable name → (section, key). A whole map (`[criticality]`) has no key.
fn settings(table: &Table) -> BTreeMap<String, (String, Option<String>)> {
    let mut settings = BTreeMap::new();
    for (section, value) in table {
        let Value::Table(keys) = value else { continue };
        if section == "criticality" {
            settings.insert(variable(&[section]), (section.clone(), None));
            continue;
        }
        for key in keys.keys() {
            settings.insert(variable(&[section, key]), (section.clone(), Some(key.clone())));
        }
    }
    settings
}

fn variable(path: &[&str]) -> String {
    format!("STOPBANK_{}", path.join("_").to_uppercase())
}

/// The text as a value of the type that stands there now.
fn value(table: &Table, section: &str, key: Option<&str>, variable: &str, text: &str) -> Result<Value, ConfigError> {
    let current = match key {
        Some(key) => table.get(section).and_then(|section| section.get(key)),
        None => table.get(section),
    };
    Ok(match current {
        Some(Value::Integer(_)) => Value::Integer(
            text.trim().parse().map_err(|_| complaint(variable, &format!("`{text}` is no whole number"), None))?,
        ),
        Some(Value::Array(_)) => {
            Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
        }
        Some(Value::Table(_)) => Value::Table(pairs(variable, text)?),
        _ => Value::String(text.to_owned()),
    })
}

/// `a=b,c=d`.
fn pairs(variable: &str, text: &str) -> Result<Table, ConfigError> {
    let mut table = Table::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let hint = Some("write it as key=value,key=value".to_owned());
            return Err(complaint(variable, &format!("`{pair}` has no `=`"), hint));
        };
        table.insert(key.trim().to_owned(), Value::String(value.trim().to_owned()));
    }
    Ok(table)
}

fn set(table: &mut Table, section: &str, key: Option<&str>, value: Value) {
    match key {
        None => {
            table.insert(section.to_owned(), value);
        }
        Some(key) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.insert(key.to_owned(), value);
            }
        }
    }
}

fn complaint(variable: &str, what: &str, hint: Option<String>) -> ConfigError {
    ConfigError(vec![Complaint { source: variable.to_owned(), place: None, what: what.to_owned(), hint }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        overlay(Config::default(), &variables)
    }

    #[test]
    fn short_and_long_names_both_work() {
        let config = with(&[
            ("STOPBANK_BROKERS", "a:1,b:2"),
            ("STOPBANK_TRACES_TOPICS", "spans, more"),
            ("STOPBANK_METRICS_TOPICS", "otlp_metrics"),
            ("STOPBANK_MODE", "act"),
            ("STOPBANK_ADMIN_ADDRESS", "0.0.0.0:1"),
            ("STOPBANK_RUNTIME_SHARDS", "3"),
            ("STOPBANK_ENGINE_LEASE", "20s"),
            ("STOPBANK_KAFKA_CONSUMER", "fetch.min.bytes=1"),
            ("PATH", "ignored"),
        ])
        .unwrap();
        assert_eq!(config.kafka.brokers, "a:1,b:2");
        assert_eq!(config.telemetry.traces_topics, ["spans", "more"]);
        assert_eq!(config.telemetry.metrics_topics, ["otlp_metrics"]);
        assert_eq!(config.engine.mode, model::Mode::Act);
        assert_eq!(config.admin.address, "0.0.0.0:1");
        assert_eq!(config.runtime.shards, 3);
        assert_eq!(config.engine.lease.ms(), 20_000);
        assert_eq!(config.kafka.consumer["fetch.min.bytes"], "1");
    }

    #[test]
    fn a_misspelt_variable_is_an_error_with_a_suggestion() {
        let error = with(&[("STOPBANK_BROKER", "a:1")]).unwrap_err().to_string();
        assert!(error.contains("did you mean `STOPBANK_BROKERS`?"), "{error}");
    }

    #[test]
    fn a_wrong_value_names_the_variable() {
        let error = with(&[("STOPBANK_MODE", "atc")]).unwrap_err().to_string();
        assert!(error.contains("STOPBANK_MODE") && error.contains("did you mean `act`?"), "{error}");
        let error = with(&[("STOPBANK_ENGINE_LEASE", "20")]).unwrap_err().to_string();
        assert!(error.contains("STOPBANK_ENGINE_LEASE") && error.contains("no unit"), "{error}");
    }
}
