//! Records that come twice: an exporter that had no answer sends again, a consumer group that was rebalanced reads again.

use super::{Batch, Bend, chance};

const MS: u64 = 1_000_000;

pub(super) struct Twice {
    seed: u64,
    batches: u64,
}

impl Twice {
    pub(super) fn new(seed: u64) -> Twice {
        Twice { seed, batches: 0 }
    }
}

impl Bend for Twice {
    fn bend(&mut self, batch: Batch, out: &mut Vec<Batch>) {
        self.batches += 1;
        let drawn = chance(self.seed, 0x2d, self.batches);
        if drawn.is_multiple_of(10) {
            // at once, or after up to 8 s
            let after_ns = if drawn & 16 == 0 { 0 } else { drawn / 32 % (8_000 * MS) };
            out.push(Batch { at_ns: batch.at_ns + after_ns, ..batch.clone() });
        }
        out.push(batch);
    }
}
