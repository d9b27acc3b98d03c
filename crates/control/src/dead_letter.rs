//! A poison record with its reason, as it stands on the dead-letter topic.

use crate::error::{WireError, from_json, to_json};
use crate::record::Event;
use crate::{Kind, Record};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// At most so many of a poison record's bytes are kept.
pub const HEAD_BYTES_MAX: usize = 256;

/// A record that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetter {
    /// The topic it came from.
    pub topic: String,
    /// The partition it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// What is wrong with it, in words.
    pub reason: String,
    /// Where in the value, in bytes, as far as that can be told.
    #[serde(default)]
    pub at_byte: u64,
    /// The value's size.
    pub bytes_total: u64,
    /// The first bytes of the value (at most 256), base64.
    pub head_base64: String,
    /// When it was met, Unix milliseconds.
    pub at_ms: u64,
}

impl DeadLetter {
    /// The same letter with the first bytes and the size of `value`.
    #[must_use]
    pub fn of(mut self, value: &[u8]) -> DeadLetter {
        self.bytes_total = value.len() as u64;
        self.head_base64 = STANDARD.encode(&value[..value.len().min(HEAD_BYTES_MAX)]);
        self
    }
}

/// A dead letter as a record; key `topic/partition/offset`.
pub fn dead_letter_record(domain: &str, letter: &DeadLetter) -> Record {
    let key = format!("{}/{}/{}", letter.topic, letter.partition, letter.offset);
    let event = Event { kind: Kind::DeadLetter, domain, id: &key, subject: &letter.topic, time_ms: letter.at_ms };
    event.record(key.clone(), to_json(letter))
}

/// Reads a dead letter.
///
/// # Errors
/// The value is too large or not a dead letter.
pub fn decode_dead_letter(record: &Record) -> Result<DeadLetter, WireError> {
    from_json("dead-letter", &record.value)
}
