//! A dead letter: what is kept of a record that could not be read.
#![allow(clippy::todo)]

use crate::Outgoing;

/// A record that could not be read.
#[derive(Clone, Copy, Debug)]
pub struct Poisoned<'a> {
    /// Where it came from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Why it cannot be read, in words.
    pub reason: &'a str,
    /// The whole payload; only the first bytes are kept.
    pub payload: &'a [u8],
}

/// The record for the dead-letter topic: key `topic/partition`, value JSON with `topic`, `partition`, `offset`, `reason`,
/// `bytes` (the payload's length), `head_hex` (its first 64 bytes) and `head_text` if those are text. CloudEvents headers.
pub fn dead_letter(_dead_letter_topic: &str, _poisoned: &Poisoned<'_>) -> Outgoing {
    todo!()
}
