//! Properties of librdkafka: any passes through, unknown ones are named with a suggestion, secrets are hidden.
//!
//! What stopbank's promises rest on (positions, isolation, transactional ids) is not for the user to set here.

mod names;
#[cfg(test)]
mod tests;

use crate::{Error, oidc};
use names::NAMES;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use std::collections::BTreeMap;

/// Any librdkafka properties, by name.
pub type Properties = BTreeMap<String, String>;

/// Which clients read a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Every client.
    Both,
    /// Only consumers.
    Consumer,
    /// Only producers.
    Producer,
}

/// Properties that stopbank sets itself, and where the user says it instead.
const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "give the brokers in `brokers`"),
    ("metadata.broker.list", "give the brokers in `brokers`"),
    ("group.id", "give the group in `group`"),
    ("enable.auto.commit", "positions are committed with the step that used them"),
    ("auto.commit.enable", "positions are committed with the step that used them"),
    ("auto.commit.interval.ms", "positions are committed with the step that used them"),
    ("enable.auto.offset.store", "positions are committed with the step that used them"),
    ("auto.offset.reset", "say where reading starts in `start`; a lost position is told as a gap"),
    ("enable.partition.eof", "stopbank needs it as it is"),
    ("isolation.level", "say it in `isolation`"),
    ("transactional.id", "it is fixed by the domain, so that a new owner fences the old one"),
    ("enable.idempotence", "stopbank's producers are always idempotent"),
    ("acks", "stopbank's producers always wait for all replicas"),
    ("request.required.acks", "stopbank's producers always wait for all replicas"),
    ("statistics.interval.ms", "lag is learned from it"),
];

/// What people who know Kafka's Java clients write, and what librdkafka calls it.
const JAVA: &[(&str, &str)] = &[
    ("sasl.jaas.config", "use `sasl.username` and `sasl.password`"),
    ("ssl.truststore.location", "use `ssl.ca.location` with a PEM file"),
    ("ssl.truststore.password", "a PEM file in `ssl.ca.location` needs none"),
    ("ssl.truststore.type", "librdkafka reads PEM from `ssl.ca.location`"),
    ("ssl.truststore.certificates", "use `ssl.ca.pem`"),
    ("ssl.keystore.type", "`ssl.keystore.location` is read as PKCS#12"),
    ("sasl.login.callback.handler.class", "use `sasl.oauthbearer.method=oidc` and its properties"),
    ("key.deserializer", "leave it out: bytes are read as they are"),
    ("value.deserializer", "leave it out: bytes are read as they are"),
    ("key.serializer", "leave it out: bytes are written as they are"),
    ("value.serializer", "leave it out: bytes are written as they are"),
    ("max.poll.records", "leave it out: batches are bounded by bytes, see `prefetch_bytes_max`"),
    ("buffer.memory", "use `queue.buffering.max.kbytes`"),
];

/// The same properties with the values of secret ones replaced by `***`, for dumps and logs.
pub fn hide_secrets(properties: &Properties) -> Properties {
    let hide = |name: &str, value: &str| if is_secret(name) { "***".to_owned() } else { value.to_owned() };
    properties.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect()
}

/// Does a property hold something that must not be shown? Rather one too many than one too few.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 5] = ["password", "secret", "passphrase", "assertion.private.key", "jaas"];
    const NAMES: [&str; 4] = ["sasl.oauthbearer.config", "ssl.key.pem", "ssl_key", "ssl.keystore.key"];
    WORDS.iter().any(|word| name.contains(word)) || NAMES.contains(&name)
}

/// Who reads the property, or `None` for one that is not in the list.
pub(crate) fn reader(name: &str) -> Option<Reader> {
    NAMES.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| NAMES[at].1)
}

/// Looks at properties that were given for `wanted` clients.
pub(crate) fn validate(properties: &Properties, wanted: Reader) -> Result<(), Error> {
    for (name, value) in properties {
        let refuse = |reason: String| Err(Error::Property { name: name.clone(), reason });
        if let Some((_, instead)) = OWNED.iter().find(|(owned, _)| owned == name) {
            return refuse(format!("stopbank sets it itself; {instead}"));
        }
        match (reader(name), wanted) {
            (Some(Reader::Producer), Reader::Consumer) => {
                return refuse("only producers read it; put it among the producer's properties".to_owned());
            }
            (Some(Reader::Consumer), Reader::Producer) => {
                return refuse("only consumers read it; put it among the consumer's properties".to_owned());
            }
            _ => {}
        }
        if oidc::is_ours(name) {
            oidc::validate(name, value).or_else(refuse)?;
            continue;
        }
        let mut config = ClientConfig::new();
        config.set(name, value);
        if let Err(error) = config.create_native_config() {
            return refuse(explain(name, value, &error));
        }
    }
    Ok(())
}

/// Why librdkafka does not take a property, in words that help.
pub(crate) fn explain(name: &str, value: &str, error: &KafkaError) -> String {
    let said = match error {
        KafkaError::ClientConfig(_, said, ..) => said.clone(),
        other => other.to_string(),
    };
    if reader(name).is_some() {
        let shown = if is_secret(name) { String::new() } else { format!(" with the value `{value}`") };
        return format!("librdkafka does not take it{shown}: {}", said.replace(value_or_nothing(name, value), "***"));
    }
    if let Some((_, instead)) = JAVA.iter().find(|(java, _)| *java == name) {
        return format!("librdkafka does not know it; {instead}");
    }
    match nearest(name) {
        Some(near) => format!("librdkafka does not know it; did you mean `{near}`?"),
        None => "librdkafka does not know it; its CONFIGURATION.md lists every property".to_owned(),
    }
}

/// A secret's value, for cutting it out of what librdkafka said; for others something that never occurs.
fn value_or_nothing<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret(name) && !value.is_empty() { value } else { "\u{0}" }
}

/// The known name with the fewest edits, if there is one within a third of its length.
fn nearest(name: &str) -> Option<&'static str> {
    let (edits, near) = NAMES.iter().map(|(known, _)| (edits(name, known), *known)).min()?;
    (edits <= name.len().div_ceil(3)).then_some(near)
}

/// Levenshtein's distance in bytes, one row at a time.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[to.len()]
}
