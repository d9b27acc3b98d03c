//! Snapshots on their topic: the engine's state in chunks that are named by their content, and manifests that say which
//! chunks make a state, how it hashes, and where the journal goes on after it.
//!
//! A chunk is cut where the content says so, so a state that has changed little is mostly made of chunks that are there
//! already. The last [`KEPT`] manifests stay; chunks that none of them names are removed. Pure: records in, records out.

mod cut;
mod manifest;
mod pack;
mod shelf;

pub(crate) use manifest::Manifest;
pub use manifest::SnapshotFlaw;
pub(crate) use pack::{Packer, Taken};
pub(crate) use shelf::Shelf;

/// So many snapshots are kept: the latest, and older ones in case that it is damaged.
const KEPT: usize = 3;

/// A chunk's name.
fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The state that the newest usable snapshot among the records of a snapshots topic holds, and what is wrong with each
/// newer one.
///
/// # Errors
/// What is wrong with each snapshot, newest first, if none can be used (nothing at all if there is none).
pub fn newest_snapshot(
    records: Vec<kafka::TailRecord>,
    domain: &str,
) -> Result<(engine::Engine, Vec<SnapshotFlaw>), Vec<SnapshotFlaw>> {
    let mut shelf = Shelf::new(domain);
    records.into_iter().for_each(|record| shelf.put(record));
    match shelf.newest() {
        (Some((_, engine)), flaws) => Ok((engine, flaws)),
        (None, flaws) => Err(flaws),
    }
}

#[cfg(test)]
mod tests;
