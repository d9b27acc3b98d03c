//! `stopbank tap`: the records of a topic as JSON lines.

use crate::cli::{Tap, TapTopic};
use crate::exit::Failure;
use crate::{keys, print, wiring};
use control::Record;
use kafka::{Connection, Edge, TailConfig, TailRecord};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);
/// A trail that is to be verified must be readable to its end within this time.
const TRAIL_WITHIN: Duration = Duration::from_secs(600);

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
    if let Some(keys) = &arguments.verify {
        return match arguments.topic {
            TapTopic::Audit => verify(wiring::connection(&config), topic, keys),
            _ => Err(Failure::usage("only the audit trail is a chain: `stopbank tap audit --verify FILE`")),
        };
    }
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

/// Verifies the trail of every domain on the topic, from the oldest link that is still there.
fn verify(connection: Connection, topic: &str, keys: &Path) -> Result<(), Failure> {
    let keyring = keys::keyring(keys)?;
    let tail = TailConfig::new(connection, topic, Edge::Earliest);
    let mut tail = kafka::Tail::connect(&tail).map_err(super::kafka_failure)?;
    let mut trails: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in tail.read_to_end(TRAIL_WITHIN).map_err(super::kafka_failure)? {
        let link = record.into_record();
        trails.entry(link.key.clone()).or_default().push(link);
    }
    for (domain, links) in &trails {
        let head = control::verify_chain(links, &keyring)
            .map_err(|error| Failure::job(format!("the trail of domain `{domain}` does not hold: {error}")))?;
        let head: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
        print::json(&json!({"type": "trail", "domain": domain, "links": links.len(), "holds": true, "head": head}))?;
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
