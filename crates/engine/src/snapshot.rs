//! The engine's whole state as bytes, versioned.

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
