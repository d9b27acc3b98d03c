//! The engine's whole state as bytes, versioned, and its digest.

use crate::Engine;

/// The format. Raised whenever a type that the state holds changes its form.
const VERSION: u16 = 11;
const HEAD: usize = 2;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another version of the format.
    #[error(
        "snapshot has format version {found}, this program reads {wanted}: start from the journal or an older snapshot"
    )]
    Version {
        /// What the snapshot says.
        found: u16,
        /// What this program reads.
        wanted: u16,
    },
    /// The bytes do not hold a state.
    #[error("snapshot cannot be decoded ({why}): start from an older snapshot and the journal after it")]
    Broken {
        /// What the decoder said.
        why: String,
    },
}

impl Engine {
    /// The whole state: two bytes of version, then `postcard`.
    pub fn snapshot(&self) -> Vec<u8> {
        let head = VERSION.to_le_bytes().to_vec();
        postcard::to_extend(self, head).expect("the state holds nothing that postcard cannot write")
    }

    /// The engine as it was when `snapshot` was taken: the same inputs give the same effects from here on.
    pub fn restore(snapshot: &[u8]) -> Result<Engine, SnapshotError> {
        let Some((head, body)) = snapshot.split_at_checked(HEAD) else {
            return Err(SnapshotError::Broken { why: format!("{} bytes are too few", snapshot.len()) });
        };
        let found = u16::from_le_bytes([head[0], head[1]]);
        if found != VERSION {
            return Err(SnapshotError::Version { found, wanted: VERSION });
        }
        postcard::from_bytes(body).map_err(|error| SnapshotError::Broken { why: error.to_string() })
    }

    /// A hash of the whole state.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.snapshot()).as_bytes()
    }
}
