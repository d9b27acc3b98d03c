//! `stopbank validate`.

use crate::cli::Validate;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::wiring;
use kafka::TopicState;
use serde_json::json;
use std::time::Duration;

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn run(arguments: &Validate, format: Format) -> Result<(), Failure> {
    let config = super::configuration(arguments.config.as_deref())?;
    let connection = wiring::connection(&config);
    connection.validate().map_err(Failure::usage)?;
    if !arguments.connect {
        return report(format, &json!({"type": "validate", "configuration": "ok"}), &["configuration: ok".to_owned()]);
    }
    let checked = kafka::check(&connection, &wiring::topics(&config), PATIENCE).map_err(super::kafka_failure)?;
    let mut lines = vec!["configuration: ok".to_owned(), format!("brokers: {}", checked.brokers.join(", "))];
    let topics: Vec<_> = checked.topics.iter().map(described).collect();
    lines.extend(topics.iter().map(|(topic, state, note)| format!("topic {topic}: {state}{note}")));
    let topics: Vec<_> =
        topics.into_iter().map(|(topic, state, note)| json!({"topic": topic, "state": state, "note": note})).collect();
    let value = json!({"type": "validate", "configuration": "ok", "cluster": checked.cluster,
        "brokers": checked.brokers, "topics": topics});
    report(format, &value, &lines)
}

fn report(format: Format, value: &serde_json::Value, lines: &[String]) -> Result<(), Failure> {
    match format {
        Format::Json => print::json(value)?,
        Format::Text => print::line(&lines.join("\n"))?,
    }
    Ok(())
}

fn described(state: &TopicState) -> (&str, &'static str, String) {
    match state {
        TopicState::Created { topic } => (topic, "created", String::new()),
        TopicState::Present { topic } => (topic, "ok", String::new()),
        TopicState::Differs { topic, setting, want, has, mend } => {
            (topic, "differs", format!(": {setting} is {has}, should be {want}; {mend}"))
        }
        TopicState::Missing { topic } => (topic, "missing", " (stopbank's own topics are made by `run`)".to_owned()),
    }
}
