//! A fleet that is simulated while its spans are read, scaled so that it emits a wanted number of spans a second.

use super::RecordMeta;
use crate::lens::{Batch, Glass};
use crate::{Export, Lens, Topology, World, WorldConfig};
use std::collections::VecDeque;
use telemetry::Encoding;

/// The world and what it has sent but nobody has read yet.
pub(super) struct Paced {
    world: World,
    ready: VecDeque<Export>,
    /// What the exports pass, unless it is the plain lens.
    glass: Option<Glass>,
    encoding: Encoding,
}

const SECOND_NS: u64 = 1_000_000_000;
/// How far the world runs ahead of its reader.
const STEP_NS: u64 = SECOND_NS / 20;
/// A fleet that is silent for so long stays silent.
const SILENCE_MAX_NS: u64 = 3600 * SECOND_NS;

impl Paced {
    pub(super) fn new(
        lens: Lens,
        topology: &Topology,
        seed: u64,
        spans_per_s: f64,
        encoding: Encoding,
        start_ns: u64,
    ) -> Paced {
        let factor = spans_per_s / own_rate(topology, seed).max(1e-6);
        let config = WorldConfig { seed, start_unix_ns: start_ns, obey: false };
        let glass = (lens != Lens::Plain).then(|| Glass::new(lens, seed, topology));
        Paced { world: World::new(topology.scaled(factor), config), ready: VecDeque::new(), glass, encoding }
    }

    pub(super) fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        let from_ns = self.world.now_ns();
        loop {
            if let Some(export) = self.ready.pop_front() {
                export.encode_into(self.encoding, out);
                return Some(meta(&export));
            }
            let now_ns = self.world.now_unix_ns();
            if let Some(batch) = self.glass.as_mut().and_then(|glass| glass.due(now_ns)) {
                batch.encode_into(self.encoding, out);
                return Some(meta_of(&batch));
            }
            if self.world.now_ns() - from_ns > SILENCE_MAX_NS {
                return None;
            }
            self.world.run_until(self.world.now_ns() + STEP_NS);
            self.world.take_reports();
            let exports = self.world.take_exports();
            match &mut self.glass {
                Some(glass) => exports.iter().for_each(|export| glass.take(export)),
                None => self.ready.extend(exports),
            }
        }
    }
}

/// What stands in the record of a batch behind a lens.
pub(super) fn meta_of(batch: &Batch) -> RecordMeta {
    RecordMeta { spans: batch.span_count() as u32, key_trace: batch.key_trace(), at_ns: batch.at_ns }
}

/// What stands in the record of an export.
pub(super) fn meta(export: &Export) -> RecordMeta {
    RecordMeta { spans: export.span_count() as u32, key_trace: export.key_trace(), at_ns: export.at_ns }
}

/// The spans a second that a topology emits at its own load while nothing is wrong, by trying.
fn own_rate(topology: &Topology, seed: u64) -> f64 {
    const WARM_UP_S: u64 = 3;
    const SPANS_ENOUGH: usize = 60_000;
    const LONGEST_S: u64 = 120;
    let mut world = World::new(topology.without_faults(), WorldConfig { seed, ..WorldConfig::default() });
    world.run_until(WARM_UP_S * SECOND_NS);
    world.take_exports();
    let mut spans = 0;
    for second in 1..=LONGEST_S {
        world.run_until((WARM_UP_S + second) * SECOND_NS);
        spans += world.take_exports().iter().map(Export::span_count).sum::<usize>();
        if spans >= SPANS_ENOUGH || second == LONGEST_S {
            return spans as f64 / second as f64;
        }
    }
    0.0
}
