//! The merger: the parts of all shards become one window.

use crate::Part;
use model::Window;

/// Bounds of a [`Merger`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergerConfig {
    /// The length of a window, nanoseconds; the same as the shards'.
    pub width_ns: u64,
    /// Windows without spans that are given after one with spans; a longer gap is skipped.
    pub empty_max: u32,
    /// Learned routes (whom an address stands for) that are kept.
    pub routes_max: usize,
    /// Names remembered as announced; past it all are announced again.
    pub names_max: usize,
}

impl Default for MergerConfig {
    fn default() -> Self {
        MergerConfig { width_ns: 1_000_000_000, empty_max: 3600, routes_max: 65_536, names_max: 262_144 }
    }
}

/// Merges the shards' parts by (window end, row key). The result depends neither on the order of the pushes nor on the
/// number of shards.
#[derive(Debug)]
pub struct Merger {}

#[allow(clippy::todo, unused_variables)]
impl Merger {
    /// For this many shards, with default bounds.
    pub fn new(shards: usize) -> Merger {
        Merger::with(shards, MergerConfig::default())
    }

    /// For this many shards.
    pub fn with(shards: usize, config: MergerConfig) -> Merger {
        Merger {}
    }

    /// `shard` has closed everything up to `closed_until_ns` and these are its parts. Gives the windows that all shards
    /// have now closed, ascending, each end once.
    pub fn push(&mut self, shard: usize, parts: Vec<Part>, closed_until_ns: u64) -> Vec<Window> {
        todo!()
    }
}
