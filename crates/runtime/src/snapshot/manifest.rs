//! A manifest: what a snapshot is made of.

use crate::snapshot::KEPT;
use engine::SnapshotError;
use serde::{Deserialize, Serialize};

/// The version of the manifest's form.
pub(super) const FORMAT: u32 = 1;

/// Why a snapshot cannot be used. The next older one and the journal after it are used instead.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFlaw {
    /// The manifest is not one of this program's.
    #[error("snapshot manifest `{key}` cannot be read: {why}")]
    Manifest {
        /// Its key.
        key: String,
        /// What the decoder said.
        why: String,
    },
    /// A chunk is missing.
    #[error("snapshot {number} of epoch {epoch} is torn: chunk {chunk} is not on the topic")]
    Torn {
        /// The owner's epoch.
        epoch: u64,
        /// The snapshot's number.
        number: u64,
        /// The first chunk that is missing.
        chunk: String,
    },
    /// The bytes are not those that were written.
    #[error("snapshot {number} of epoch {epoch} is damaged: {what} does not hash to what the manifest says")]
    Damaged {
        /// The owner's epoch.
        epoch: u64,
        /// The snapshot's number.
        number: u64,
        /// A chunk's name, or `the whole`.
        what: String,
    },
    /// The engine does not take it.
    #[error("snapshot {number} of epoch {epoch}: {why}")]
    Engine {
        /// The owner's epoch.
        epoch: u64,
        /// The snapshot's number.
        number: u64,
        /// What the engine says.
        why: SnapshotError,
    },
}

/// What a snapshot is made of, and where the journal goes on after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// The epoch of the owner that took it.
    pub(crate) epoch: u64,
    /// Rises by one with each snapshot of the domain.
    pub(crate) number: u64,
    /// The program's version.
    pub(crate) program: String,
    /// When it was taken, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Partition and offset of the last journal record that is in it.
    pub(crate) journal_at: (i32, i64),
    /// The index of the first journal entry that is not in it.
    pub(crate) journal_index: u64,
    /// How long it is.
    pub(crate) bytes: u64,
    /// The engine's digest: the BLAKE3 hash of the whole, hex.
    pub(crate) digest: String,
    /// Its chunks in order, by their BLAKE3 hashes, hex.
    pub(crate) chunks: Vec<String>,
}

impl Manifest {
    /// The record's key: the manifests of the last [`KEPT`] snapshots have different ones, so compaction keeps them.
    pub(crate) fn key(&self, domain: &str) -> String {
        format!("{}{}", Manifest::prefix(domain), self.number % KEPT as u64)
    }

    pub(super) fn prefix(domain: &str) -> String {
        format!("{domain}/manifest/")
    }

    pub(super) fn read(key: &str, value: &[u8]) -> Result<Manifest, SnapshotFlaw> {
        let flaw = |why: String| SnapshotFlaw::Manifest { key: key.to_owned(), why };
        let manifest: Manifest = serde_json::from_slice(value).map_err(|error| flaw(error.to_string()))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(flaw(format!("format {} of stopbank {}, not {FORMAT}", manifest.format, manifest.program)))
        }
    }
}

/// The key of a chunk.
pub(super) fn chunk_key(domain: &str, hash: &str) -> String {
    format!("{}{hash}", chunk_prefix(domain))
}

pub(super) fn chunk_prefix(domain: &str) -> String {
    format!("{domain}/chunk/")
}
