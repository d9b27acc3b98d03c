//! Clocks that are wrong: each instance's by its own amount, all the time the same.

use super::{Batch, Bend, chance_of};

/// The most that a clock is wrong, either way.
const SKEW_NS: u64 = 1_000_000_000;

pub(super) struct Skew {
    seed: u64,
}

impl Skew {
    pub(super) fn new(seed: u64) -> Skew {
        Skew { seed }
    }
}

impl Bend for Skew {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        let off_ns = (chance_of(self.seed, 0x5e3, batch.instance()) % (2 * SKEW_NS + 1)) as i64 - SKEW_NS as i64;
        for span in &mut batch.spans {
            span.start_ns = span.start_ns.saturating_add_signed(off_ns);
            span.end_ns = span.end_ns.saturating_add_signed(off_ns);
        }
        out.push(batch);
    }
}
