//! What was counted in a block of event time, until it can be judged.

use crate::block::Block;
use crate::track::Tally;
use serde::{Deserialize, Serialize};

/// How long a block is, seconds.
pub(crate) const BLOCK_S: u64 = 30;
/// Producers that would count the same calls are kept apart: SDKs, spans' own connectors, proxies.
pub(crate) const GROUPS: usize = 3;
/// All seconds of a block.
const WHOLE: u32 = (1 << BLOCK_S) - 1;

/// The number of the block in which the second lies that ends at `at_s`, which is not zero.
pub(crate) fn block_of(at_s: u64) -> u64 {
    at_s.saturating_sub(1) / BLOCK_S
}

/// A block's sums: by the spans, and by each group of producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sheet {
    seen: Tally,
    spans: u64,
    /// The sum of the squares of the spans of each second.
    squares: u64,
    said: [Tally; GROUPS],
    /// A bit for each second of which a producer spoke.
    covered: [u32; GROUPS],
}

impl Sheet {
    /// What a producer of `group` counted in the second that ends at `at_s`.
    pub(crate) fn say(&mut self, at_s: u64, group: usize, said: Tally) {
        self.said[group].add(said);
        self.covered[group] |= 1 << (at_s.saturating_sub(1) % BLOCK_S);
    }

    /// What spans showed of one of the seconds.
    pub(crate) fn see(&mut self, seen: Tally, spans: u64) {
        self.seen.add(seen);
        self.spans = self.spans.saturating_add(spans);
        self.squares = self.squares.saturating_add(spans.saturating_mul(spans));
    }

    /// The block, if one group of producers counted in each of its seconds; of several the one that counted most.
    pub(crate) fn block(&self) -> Option<Block> {
        let whole = self.said.iter().zip(self.covered).filter(|(_, covered)| *covered == WHOLE);
        let said = whole.map(|(said, _)| said).max_by_key(|said| said.calls)?;
        Some(Block { seen: self.seen, spans: self.spans, said: *said, seconds: BLOCK_S, squares: self.squares })
    }
}
