//! A simulated stretch, encoded once and sent over and over: ids and times are changed in the bytes themselves.
//!
//! Every round has masks of its own for trace and span ids, so parents stay parents and links stay links; only the upper
//! half of a trace id changes, because samplers decide by the lower one.

use super::RecordMeta;
use super::json::{self, Place};
use super::paced::meta;
use crate::world::mix;
use crate::{Export, Topology, World, WorldConfig};
use std::ops::Range;
use telemetry::Encoding;

/// The stretch and where its replay stands.
pub(super) struct Replay {
    records: Vec<Recorded>,
    bytes: Vec<u8>,
    /// Where ids and times stand, for JSON.
    places: Vec<Place>,
    period_ns: u64,
    seed: u64,
    round: u64,
    next: usize,
}

struct Recorded {
    bytes: Range<usize>,
    places: Range<usize>,
    meta: RecordMeta,
}

const SECOND_NS: u64 = 1_000_000_000;
/// The stretch is so long, or longer until it has `SPANS_MIN` spans.
const STRETCH_S: u64 = 20;
const SPANS_MIN: usize = 50_000;
const STRETCH_MAX_S: u64 = 300;
/// How long requests may take to end after the last has come.
const DRAIN_S: u64 = 30;

impl Replay {
    pub(super) fn new(topology: &Topology, seed: u64, encoding: Encoding, start_unix_ns: u64) -> Replay {
        let mut world = World::new(topology.clone(), WorldConfig { seed, start_unix_ns, obey: false });
        let mut exports = Vec::new();
        let mut second = 0;
        let spans = |exports: &[Export]| exports.iter().map(Export::span_count).sum::<usize>();
        while second < STRETCH_S || (spans(&exports) < SPANS_MIN && second < STRETCH_MAX_S) {
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
        let mut replay =
            Replay { records: Vec::new(), bytes: Vec::new(), places: Vec::new(), period_ns, seed, round: 0, next: 0 };
        for export in &exports {
            replay.record(export, encoding);
        }
        replay
    }

    fn record(&mut self, export: &Export, encoding: Encoding) {
        let (from, first) = (self.bytes.len(), self.places.len());
        export.encode_into(encoding, &mut self.bytes);
        if encoding == Encoding::OtlpJson {
            json::find(&self.bytes[from..], &mut self.places);
        }
        let (bytes, places) = (from..self.bytes.len(), first..self.places.len());
        self.records.push(Recorded { bytes, places, meta: meta(export) });
    }

    pub(super) fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        let recorded = self.records.get(self.next)?;
        out.extend_from_slice(&self.bytes[recorded.bytes.clone()]);
        let mut meta = recorded.meta;
        if self.round > 0 {
            let shift_ns = self.round * self.period_ns;
            // the seed's own stream of masks; a mask of zero would repeat the first round's ids
            let trace_mask = u128::from(mix(self.seed ^ mix(self.round)).max(1)) << 64;
            let span_mask = mix(self.seed ^ mix(self.round ^ (1 << 63))).max(1);
            let places = &self.places[recorded.places.clone()];
            if places.is_empty() {
                let restamped = telemetry::emit::restamp(out, trace_mask, span_mask, shift_ns);
                restamped.expect("the record was written by the same encoder");
            } else {
                json::restamp(out, places, (trace_mask >> 64) as u64, span_mask, shift_ns);
            }
            meta.at_ns += shift_ns;
            meta.key_trace ^= trace_mask;
        }
        self.next += 1;
        if self.next == self.records.len() {
            (self.next, self.round) = (0, self.round + 1);
        }
        Some(meta)
    }
}
