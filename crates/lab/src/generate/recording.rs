//! A simulated stretch, encoded once: what the replaying generators send over and over.

use super::RecordMeta;
use super::json::{self, Place};
use super::paced::{meta, meta_of};
use crate::lens::Glass;
use crate::world::mix;
use crate::{Export, Lens, Topology, World, WorldConfig};
use std::ops::Range;
use telemetry::Encoding;

/// The stretch.
pub(super) struct Recording {
    records: Vec<Recorded>,
    bytes: Vec<u8>,
    /// Where ids and times stand, for JSON.
    places: Vec<Place>,
    /// How long it is.
    pub(super) period_ns: u64,
    pub(super) spans: u64,
    seed: u64,
}

struct Recorded {
    bytes: Range<usize>,
    places: Range<usize>,
    meta: RecordMeta,
}

const SECOND_NS: u64 = 1_000_000_000;
/// The stretch is longer than asked for until it has so many spans.
const SPANS_MIN: usize = 50_000;
const STRETCH_MAX_S: u64 = 300;
/// How long requests may take to end after the last has come.
const DRAIN_S: u64 = 30;

impl Recording {
    /// Simulates at least `stretch_s` seconds.
    pub(super) fn new(
        lens: Lens,
        topology: &Topology,
        seed: u64,
        encoding: Encoding,
        start_unix_ns: u64,
        stretch_s: u64,
    ) -> Recording {
        let mut world = World::new(topology.clone(), WorldConfig { seed, start_unix_ns, obey: false });
        let mut exports = Vec::new();
        let mut second = 0;
        let spans = |exports: &[Export]| exports.iter().map(Export::span_count).sum::<usize>();
        while second < stretch_s || (spans(&exports) < SPANS_MIN && second < STRETCH_MAX_S) {
            second += 1;
            world.run_until(second * SECOND_NS);
            world.take_reports();
            exports.append(&mut world.take_exports());
        }
        // whole traces only: the last requests end before the next round begins
        world.stop_arrivals();
        let latest = second + DRAIN_S;
        let mut quiet_s = 0;
        while second < latest && quiet_s < 2 {
            second += 1;
            world.run_until(second * SECOND_NS);
            let sent = world.take_exports();
            quiet_s = if sent.is_empty() { quiet_s + 1 } else { 0 };
            exports.extend(sent);
        }
        let period_ns = (second - quiet_s) * SECOND_NS;
        let spans = spans(&exports) as u64;
        let (records, bytes, places) = (Vec::new(), Vec::new(), Vec::new());
        let mut recording = Recording { records, bytes, places, period_ns, spans, seed };
        if lens == Lens::Plain {
            for export in &exports {
                recording.record(meta(export), encoding, |out| export.encode_into(encoding, out));
            }
            return recording;
        }
        let mut glass = Glass::new(lens, seed, topology);
        exports.iter().for_each(|export| glass.take(export));
        glass.end();
        recording.spans = 0;
        while let Some(batch) = glass.due(u64::MAX) {
            recording.spans += batch.span_count() as u64;
            recording.period_ns = recording.period_ns.max(batch.at_ns.saturating_sub(start_unix_ns) + 1);
            recording.record(meta_of(&batch), encoding, |out| batch.encode_into(encoding, out));
        }
        recording
    }

    fn record(&mut self, meta: RecordMeta, encoding: Encoding, encode: impl FnOnce(&mut Vec<u8>)) {
        let (from, first) = (self.bytes.len(), self.places.len());
        encode(&mut self.bytes);
        if encoding == Encoding::OtlpJson {
            json::find(&self.bytes[from..], &mut self.places);
        }
        let (bytes, places) = (from..self.bytes.len(), first..self.places.len());
        self.records.push(Recorded { bytes, places, meta });
    }

    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// When a record is sent in the stretch itself, Unix nanoseconds.
    pub(super) fn at_ns(&self, number: usize) -> u64 {
        self.records[number].meta.at_ns
    }

    /// Appends a record as round `round` sends it: fresh ids, times moved by `shift_ns` (wrapping). Round zero without a
    /// shift is the record as it was simulated.
    pub(super) fn write(&self, number: usize, round: u64, shift_ns: u64, out: &mut Vec<u8>) -> RecordMeta {
        let recorded = &self.records[number];
        out.extend_from_slice(&self.bytes[recorded.bytes.clone()]);
        let mut meta = recorded.meta;
        if round > 0 || shift_ns > 0 {
            // the seed's own stream of masks; a mask of zero would repeat the first round's ids
            let trace_mask = u128::from(mix(self.seed ^ mix(round)).max(1)) << 64;
            let span_mask = mix(self.seed ^ mix(round ^ (1 << 63))).max(1);
            let places = &self.places[recorded.places.clone()];
            if places.is_empty() {
                let restamped = telemetry::emit::restamp(out, trace_mask, span_mask, shift_ns);
                restamped.expect("the record was written by the same encoder");
            } else {
                json::restamp(out, places, (trace_mask >> 64) as u64, span_mask, shift_ns);
            }
            meta.at_ns = meta.at_ns.wrapping_add(shift_ns);
            meta.key_trace ^= trace_mask;
        }
        meta
    }
}
