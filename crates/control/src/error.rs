//! Why a record could not be read.

use thiserror::Error;

/// A record is not what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The value is too large.
    #[error("{what}: the value has {bytes} bytes, at most {max} are read: whoever writes it must split or shorten it")]
    TooLarge {
        /// The kind of record.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The value is not the JSON of the schema.
    #[error("{what}: the value is not valid JSON of schemas/{what}.schema.json: {why}")]
    Malformed {
        /// The kind of record.
        what: &'static str,
        /// What the decoder says.
        why: String,
    },
    /// The key does not name what the value speaks of.
    #[error(
        "{what}: the record key is {key:?}, the value speaks of {expected:?}: key and value must be written together"
    )]
    KeyMismatch {
        /// The kind of record.
        what: &'static str,
        /// The record's key.
        key: String,
        /// What it should be.
        expected: String,
    },
}

/// The JSON of a bounded value.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, value: &[u8]) -> Result<T, WireError> {
    if value.len() > crate::VALUE_BYTES_MAX {
        return Err(WireError::TooLarge { what, bytes: value.len(), max: crate::VALUE_BYTES_MAX });
    }
    serde_json::from_slice(value).map_err(|why| WireError::Malformed { what, why: why.to_string() })
}

/// The JSON of one of our own types.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our wire types have string keys and finite numbers, so JSON can hold them")
}
