//! From a record's bytes to closed windows on one core, against prost's decode alone, in turns on the same records.
//!
//! Floors: decode at least 8 times prost; decode, pairing and windows together at least 4 times prost's decode alone. Spans
//! of 480 bytes in records of up to 100, 64 services, some 200 edges; and the hard mix (2 KB spans, 10,000 edges).
//!
//!     cargo bench --bench path
#![allow(missing_docs, clippy::print_stdout)]

use lab::Mix;
use lab::generate::Chorus;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;
use std::time::Instant;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Counting, Grace, Merger, PartitionId, Shard, ShardConfig, WatermarkConfig, Watermarks};

/// A window's: every turn closes one.
const SPANS_PER_TURN: u32 = 100_000;
const TURNS: usize = 24;
/// Turns before anything is measured: memory has been taken and tables have their size.
const WARM_UP: usize = 8;
/// Event time runs at this pace.
const SPANS_PER_S: f64 = 100_000.0;

struct Path {
    reader: Reader,
    facts: Facts,
    marks: Watermarks,
    shard: Shard,
    merger: Merger,
    closed_ns: u64,
    calls: u64,
    windows: usize,
}

impl Path {
    fn new() -> Path {
        Path {
            reader: Reader::new(ReaderConfig::default()),
            facts: Facts::default(),
            marks: Watermarks::new(Grace::Fixed { grace_ms: 1000 }, WatermarkConfig::default()),
            shard: Shard::new(ShardConfig::default()),
            merger: Merger::new(1),
            closed_ns: 0,
            calls: 0,
            windows: 0,
        }
    }

    fn take(&mut self, record: &[u8]) {
        self.facts.clear();
        self.reader.read(Encoding::OtlpProto, record, &mut self.facts).expect("a good record");
        for span in &self.facts.spans {
            self.marks.observe(PartitionId::default(), span.instance, span.end_ns, None);
        }
        self.shard.observe(&self.facts.spans, &self.facts.names, Counting::PROMPT);
        let low_ns = self.marks.low_ns().unwrap_or(0);
        if low_ns < self.closed_ns + 1_000_000_000 {
            self.shard.pass(low_ns);
            return;
        }
        self.closed_ns = low_ns / 1_000_000_000 * 1_000_000_000;
        for window in self.merger.push(0, self.shard.close_until(low_ns), self.closed_ns) {
            self.windows += 1;
            self.calls += window.edges.iter().map(|row| row.calls.0 / 1024).sum::<u64>();
        }
    }
}

/// Nanoseconds a span of some work over all records.
fn spent(records: &[Vec<u8>], spans: u32, mut work: impl FnMut(&[u8])) -> f64 {
    let begun = Instant::now();
    records.iter().for_each(|record| work(black_box(record)));
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(spans)
}

/// The quarter of the turns that was disturbed least.
fn lower_quartile(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

fn measure(name: &str, mix: Mix) {
    let mut chorus = Chorus::new(&mix.topology(), 1, Encoding::OtlpProto);
    chorus.sing((SPANS_PER_S / chorus.voice_spans_per_s()).round().max(1.0) as u32, 1_750_000_000_000_000_000);
    let (mut path, mut reader, mut facts) = (Path::new(), Reader::new(ReaderConfig::default()), Facts::default());
    let (mut by_prost, mut decoding, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..WARM_UP + TURNS {
        let (mut records, mut record, mut spans) = (Vec::new(), Vec::new(), 0);
        while spans < SPANS_PER_TURN {
            spans += chorus.next_record(&mut record).expect("it sings on").spans;
            records.push(record.clone());
        }
        let times = [
            spent(&records, spans, |record| drop(black_box(ExportTraceServiceRequest::decode(record)))),
            spent(&records, spans, |record| {
                facts.clear();
                black_box(reader.read(Encoding::OtlpProto, record, &mut facts)).expect("a good record");
            }),
            spent(&records, spans, |record| path.take(record)),
        ];
        if turn >= WARM_UP {
            by_prost.push(times[0]);
            decoding.push(times[1]);
            all.push(times[2]);
        }
    }
    assert!(path.windows >= TURNS, "a turn without a window tells too little: {} of them", path.windows);
    assert!(path.calls > 0 && path.shard.counters().duplicates == 0, "{:?}", path.shard.counters());
    let (prost, decode, all) = (lower_quartile(&mut by_prost), lower_quartile(&mut decoding), lower_quartile(&mut all));
    println!(
        "{name}: prost {prost:.0} ns a span; decode {decode:.0} ns = {:.1} x prost; decode + pairing + windows {all:.0} ns = \
         {:.1} x prost's decode alone ({:.2} M spans/s)",
        prost / decode,
        prost / all,
        1e3 / all,
    );
}

fn main() {
    measure("plain", Mix::PLAIN);
    measure("hard", Mix::HARD);
}
