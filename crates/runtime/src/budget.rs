//! The memory budget: one number, divided among everything that grows with the telemetry.

use crate::capacity::{BATCHES_PER_SHARD, SPANS_PER_BATCH};
use model::Span;

/// What the graph and the learner hold per edge at most, bytes. (A test measures it.)
pub const EDGE_BYTES_MAX: usize = 4096;
/// Less than this is no use to a shard.
const SHARD_BYTES_MIN: usize = 8 << 20;
/// Less than this makes every fetch a wait.
const PREFETCH_BYTES_MIN: usize = 4 << 20;

/// Who gets how much, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What the shards remember and the windows they have open, each.
    pub shard_bytes: usize,
    /// What is fetched ahead.
    pub prefetch_bytes: usize,
    /// Batches under way from the source to the shards.
    pub batches_bytes: usize,
    /// Graph and baselines.
    pub engine_bytes: usize,
    /// Windows under way, the journal, buffers of the client: what nobody was given.
    pub rest_bytes: usize,
}

impl Budget {
    /// Divides `bytes`: half for the shards, an eighth to fetch ahead, the engine by its edges, batches by their bounds. What
    /// is left has to be a sixteenth at least.
    ///
    /// # Errors
    /// It is too little: says for what, and what to change.
    pub fn divide(bytes: usize, shards: usize, edges_max: usize) -> Result<Budget, String> {
        let shards = shards.max(1);
        let shard_bytes = bytes / 2 / shards;
        let prefetch_bytes = bytes / 8;
        // Batches on their way, one that is taken apart and one that is put together; a poll brings two batches' spans.
        let batches_bytes = (BATCHES_PER_SHARD + 2) * 2 * SPANS_PER_BATCH * size_of::<Span>();
        let engine_bytes = edges_max * EDGE_BYTES_MAX;
        let given = shard_bytes * shards + prefetch_bytes + batches_bytes + engine_bytes;
        let needs = (batches_bytes + engine_bytes) * 16 / 5;
        let (mib, shard_mib) = (|bytes: usize| bytes.div_ceil(1 << 20), shard_bytes >> 20);
        if shard_bytes < SHARD_BYTES_MIN {
            return Err(format!(
                "{shard_mib} MiB for each of {shards} shards are too few: more memory, or fewer shards"
            ));
        }
        if prefetch_bytes < PREFETCH_BYTES_MIN || given + bytes / 16 > bytes {
            return Err(format!(
                "{} MiB are too few for {edges_max} edges: raise the memory to {} MiB, or keep fewer edges",
                mib(bytes),
                mib(needs.max(8 * PREFETCH_BYTES_MIN))
            ));
        }
        Ok(Budget { shard_bytes, prefetch_bytes, batches_bytes, engine_bytes, rest_bytes: bytes - given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_the_whole() {
        for (mib, shards) in [(512, 1), (512, 4), (1024, 2), (8192, 16)] {
            let bytes = mib << 20;
            let budget = Budget::divide(bytes, shards, 20_000).expect("enough");
            let Budget { shard_bytes, prefetch_bytes, batches_bytes, engine_bytes, rest_bytes } = budget;
            assert_eq!(shard_bytes * shards + prefetch_bytes + batches_bytes + engine_bytes + rest_bytes, bytes);
            assert!(rest_bytes >= bytes / 16);
        }
    }

    #[test]
    fn too_little_is_refused_with_what_would_do() {
        let why = Budget::divide(128 << 20, 1, 20_000).expect_err("too little");
        let wanted: usize = why.split_ascii_whitespace().rev().find_map(|word| word.parse().ok()).expect("a number");
        assert!(why.contains("raise the memory"), "{why}");
        Budget::divide(wanted << 20, 1, 20_000).expect("what it asked for is enough");
        assert!(Budget::divide(64 << 20, 16, 100).expect_err("too little").contains("fewer shards"));
    }
}
