//! The core alone: records in memory through the same path as `stopbank replay`, on one thread.

use super::load::BACKLOG_SPANS_PER_S;
use super::report::Work;
use lab::Mix;
use lab::generate::Chorus;
use runtime::{Replay, ReplayConfig, Usage};
use std::time::Instant;
use telemetry::Encoding;

/// Payload that is made at once, before a turn is measured.
const TURN_BYTES: usize = 64 << 20;

/// Measures it over about so many spans.
pub(super) fn measure(mix: &Mix, spans: u64) -> Work {
    let mut chorus = Chorus::new(&mix.topology(), 1, Encoding::OtlpProto);
    let voices = (BACKLOG_SPANS_PER_S / chorus.voice_spans_per_s().max(1.0)).round().max(1.0) as u32;
    chorus.sing(voices, 1_750_000_000_000_000_000);
    let mut replay = Replay::new(ReplayConfig::default());
    let (mut cpu_s, mut seconds) = (0.0, 0.0);
    while replay.counts().spans < spans {
        let records = turn(&mut chorus);
        let (begun, used) = (Instant::now(), Usage::now().cpu_s);
        for record in &records {
            // What the generator writes can be read; a poison record would be counted and shows as a lack of spans.
            let _ = replay.record(Encoding::OtlpProto, record, &mut |_| {});
        }
        seconds += begun.elapsed().as_secs_f64();
        cpu_s += Usage::now().cpu_s - used;
    }
    Work::new(replay.counts().spans, seconds, cpu_s)
}

fn turn(chorus: &mut Chorus) -> Vec<Vec<u8>> {
    let (mut records, mut record, mut bytes) = (Vec::new(), Vec::new(), 0);
    while bytes < TURN_BYTES && chorus.next_record(&mut record).is_some() {
        bytes += record.len();
        records.push(record.clone());
    }
    records
}
