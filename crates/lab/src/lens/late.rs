//! Exporters that take their time: direct ones, an SDK's batches of 5 s and a 30 s detour, mixed on one partition.

use super::{Batch, Bend, chance_of};

const MS: u64 = 1_000_000;
/// `OTEL_BSP_SCHEDULE_DELAY` by default.
const BATCH_NS: u64 = 5_000 * MS;
/// The `decision_wait` of a Collector's tail sampler by default.
const DETOUR_NS: u64 = 30_000 * MS;

pub(super) struct Late {
    seed: u64,
}

impl Late {
    pub(super) fn new(seed: u64) -> Late {
        Late { seed }
    }
}

impl Bend for Late {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        let way = chance_of(self.seed, 0x1a7e, batch.instance());
        batch.at_ns = match way % 3 {
            0 => batch.at_ns,
            1 => {
                // each instance's batches have a beat of their own
                let phase_ns = way / 3 % BATCH_NS;
                (batch.at_ns - phase_ns).div_ceil(BATCH_NS) * BATCH_NS + phase_ns
            }
            _ => batch.at_ns + DETOUR_NS,
        };
        out.push(batch);
    }
}
