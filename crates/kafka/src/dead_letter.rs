//! A dead letter: what is kept of a record that could not be read.

use crate::Outgoing;
use control::{DeadLetter, dead_letter_record};
use std::time::{SystemTime, UNIX_EPOCH};

/// A record that could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Poisoned<'a> {
    /// The decision domain of whoever met it.
    pub domain: &'a str,
    /// Where it came from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Why it cannot be read, in words.
    pub reason: &'a str,
    /// Where in the payload, in bytes, as far as that can be told.
    pub at_byte: u64,
    /// The whole payload; only the first bytes are kept.
    pub payload: &'a [u8],
}

/// The record for the dead-letter topic, in the form of [`control::DeadLetter`], stamped with the present time.
pub fn dead_letter(dead_letter_topic: &str, poisoned: &Poisoned<'_>) -> Outgoing {
    let letter = DeadLetter {
        topic: poisoned.topic.to_owned(),
        partition: poisoned.partition,
        offset: poisoned.offset,
        reason: poisoned.reason.to_owned(),
        at_byte: poisoned.at_byte,
        at_ms: now_ms(),
        ..DeadLetter::default()
    };
    Outgoing::of(dead_letter_topic, dead_letter_record(poisoned.domain, &letter.of(poisoned.payload)))
}

/// The wall clock, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::{Record, decode_dead_letter};

    #[test]
    fn a_dead_letter_reads_back_with_its_source_its_reason_and_its_first_bytes() {
        let payload = vec![7u8; 5_000];
        let (topic, reason) = ("otlp_spans", "a length runs past the end");
        let poisoned =
            Poisoned { domain: "shop", topic, partition: 3, offset: 42, reason, at_byte: 17, payload: &payload };
        let out = dead_letter("stopbank.dead-letter", &poisoned);
        assert_eq!(out.topic, "stopbank.dead-letter");
        assert_eq!(out.key.as_deref(), Some(b"otlp_spans/3/42".as_slice()));
        let value = out.value.expect("a dead letter has a value");
        let record = Record { key: String::new(), value, headers: Vec::new() };
        let letter = decode_dead_letter(&record).expect("our own form");
        assert_eq!((letter.offset, letter.at_byte, letter.bytes_total), (42, 17, 5_000));
        assert!(letter.reason == reason && letter.head_base64.len() < 400);
        assert!(out.headers.iter().any(|(name, value)| name == "ce_source" && value == b"stopbank/shop"));
    }
}
