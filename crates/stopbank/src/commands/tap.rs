//! `stopbank tap`: the records of a topic as JSON lines.

use crate::cli::{Tap, TapTopic};
use crate::exit::Failure;
use crate::{print, wiring};
use kafka::{Edge, TailConfig, TailRecord};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &Tap) -> Result<(), Failure> {
    let mut config = super::configuration(arguments.config.as_deref())?;
    if let Some(brokers) = &arguments.brokers {
        config.kafka.brokers.clone_from(brokers);
    }
    let topics = wiring::topics(&config);
    let topic = match arguments.topic {
        TapTopic::Control => &topics.control,
        TapTopic::Proposals => &topics.proposals,
        TapTopic::Findings => &topics.findings,
        TapTopic::Audit => &topics.audit,
        TapTopic::Reports => &topics.reports,
        TapTopic::Orders => &topics.orders,
        TapTopic::DeadLetter => &topics.dead_letter,
    };
    let from = if arguments.from_beginning { Edge::Earliest } else { Edge::Latest };
    let tail = TailConfig::new(wiring::connection(&config), topic, from);
    let mut tail = kafka::Tail::connect(&tail).map_err(super::kafka_failure)?;
    let end = arguments.duration.map(|length| Instant::now() + length.duration());
    while end.is_none_or(|end| Instant::now() < end) {
        if let Some(record) = tail.next(POLL).map_err(super::kafka_failure)? {
            print::json(&line(topic, &record))?;
        }
    }
    Ok(())
}

/// One record as JSON: the value itself where it is JSON, else as text.
fn line(topic: &str, record: &TailRecord) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let value = record
        .value
        .as_deref()
        .map(|value| serde_json::from_slice::<Value>(value).unwrap_or_else(|_| Value::String(text(value))));
    let headers: serde_json::Map<String, Value> =
        record.headers.iter().map(|(name, value)| (name.clone(), Value::String(text(value)))).collect();
    json!({"topic": topic, "partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms,
        "key": record.key.as_deref().map(text), "headers": headers, "value": value})
}
