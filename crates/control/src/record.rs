//! A record as it stands on a topic: key, value, headers. CloudEvents 1.0, binary mode.

use crate::{Kind, time::rfc3339};

/// A value larger than this is not decoded.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Key, value and headers of a record, whatever carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The record's key.
    pub key: String,
    /// The value's bytes; empty is a tombstone.
    pub value: Vec<u8>,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
}

impl Record {
    /// The header `name`, the last one if it stands there twice (as Kafka clients have it).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The kind its `ce_type` names. Not signed: a hint for routing, never for trust.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_event_type(self.header("ce_type")?)
    }

    /// The record with a W3C `traceparent` header, so that an intervention can be followed in a tracing system.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: &str) -> Record {
        self.headers.push(("traceparent".to_owned(), traceparent.to_owned()));
        self
    }

    /// A record without a value: it cleans up a compacted topic and commands nothing.
    pub fn tombstone(key: &str) -> Record {
        Record { key: key.to_owned(), ..Record::default() }
    }
}

/// What the CloudEvents headers of a record say.
pub(crate) struct Event<'a> {
    pub(crate) kind: Kind,
    pub(crate) domain: &'a str,
    pub(crate) id: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) time_ms: u64,
}

impl Event<'_> {
    /// The record with these headers; header values lose control characters.
    pub(crate) fn record(&self, key: String, value: Vec<u8>) -> Record {
        let header = |name: &str, value: &str| (name.to_owned(), printable(value));
        let headers = vec![
            header("ce_specversion", "1.0"),
            header("ce_id", self.id),
            header("ce_source", &format!("stopbank/{}", self.domain)),
            header("ce_type", &self.kind.event_type()),
            header("ce_time", &rfc3339(self.time_ms)),
            header("ce_subject", self.subject),
            header("content-type", "application/json"),
        ];
        Record { key, value, headers }
    }
}

/// `text` with control characters replaced, as in keys and headers.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
