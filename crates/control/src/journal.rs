//! The header of a journal record. The value is the engine's input in the engine's own binary form; what others may rely
//! on stands in one JSON header.

use crate::error::{WireError, from_json, to_json};
use crate::record::Event;
use crate::{Kind, Record};
use serde::{Deserialize, Serialize};

/// The Kafka header that holds the [`JournalHeader`].
pub const JOURNAL_HEADER: &str = "stopbank_journal";

/// What stands above an input in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JournalHeader {
    /// The version of the binary form of the value.
    pub format: u32,
    /// The domain.
    pub domain: String,
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// The input's place in the journal; rises by one.
    pub index: u64,
    /// The kind of input (`window`, `tick`, `report`, `order`, …).
    pub input: String,
    /// The engine's digest before this input, in hex; empty where it is not taken.
    #[serde(default)]
    pub digest: String,
    /// When it was written, Unix milliseconds.
    pub at_ms: u64,
}

/// An input of the engine as a record; key `domain`.
pub fn journal_record(header: &JournalHeader, input: Vec<u8>) -> Record {
    let id = format!("{}/{}/{}", header.domain, header.epoch, header.index);
    let event =
        Event { kind: Kind::Journal, domain: &header.domain, id: &id, subject: &header.input, time_ms: header.at_ms };
    let mut record = event.record(header.domain.clone(), input);
    if let Some(kind) = record.headers.iter_mut().find(|(name, _)| name == "content-type") {
        kind.1 = "application/octet-stream".to_owned();
    }
    let text = String::from_utf8(to_json(header)).expect("JSON is UTF-8");
    record.headers.push((JOURNAL_HEADER.to_owned(), text));
    record
}

/// Reads the header of a journal record.
///
/// # Errors
/// There is no such header, it is not of the schema, or the key names another domain.
pub fn decode_journal_header(record: &Record) -> Result<JournalHeader, WireError> {
    let header: JournalHeader = from_json("journal", record.header(JOURNAL_HEADER).unwrap_or_default().as_bytes())?;
    if record.key != header.domain {
        let (key, expected) = (record.key.clone(), header.domain);
        return Err(WireError::KeyMismatch { what: "journal", key, expected });
    }
    Ok(header)
}
