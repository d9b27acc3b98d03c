//! Pairing and windows on one core: prebuilt batches of spans → watermarks → one shard → closed, merged windows.
//!
//! 64 services and about 400 edges; call trees of up to four hops; batches of 100 spans of one service each, as exporters
//! send them, so that the halves of a call lie far apart. Event time runs at 100,000 spans a second. Floor: 3 M spans/s.
//!
//!     cargo bench --bench windows

#![allow(missing_docs)] // criterion's macros make public functions

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::{Failure, NameId, Outcome, Span, SpanFlags, SpanId, SpanKind, TraceId};
use std::hint::black_box;
use std::time::{Duration, Instant};
use window::{Admit, Counting, Grace, Merger, PartitionId, Shard, ShardConfig, WatermarkConfig, Watermarks};

const SERVICES: u64 = 64;
const CALLEES: u64 = 6;
const SPANS: usize = 1_000_000;
const BATCH: usize = 100;
const SPANS_PER_S: u64 = 100_000;
const BASE_NS: u64 = 1_700_000_000_000_000_000;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Batches in the order in which exporters send them.
struct Fleet {
    dice: Dice,
    buffers: Vec<Vec<Span>>,
    batches: Vec<Vec<Span>>,
    made: u64,
}

impl Fleet {
    fn batches() -> Vec<Vec<Span>> {
        let buffers = vec![Vec::with_capacity(BATCH); SERVICES as usize];
        let mut fleet = Fleet { dice: Dice(88_172_645_463_325_252), buffers, batches: Vec::new(), made: 0 };
        while (fleet.made as usize) < SPANS {
            let trace = TraceId(u128::from(fleet.dice.roll(u64::MAX)) << 64 | u128::from(fleet.dice.roll(u64::MAX)));
            let end_ns = BASE_NS + fleet.made * (1_000_000_000 / SPANS_PER_S);
            let entry = fleet.dice.roll(8);
            fleet.request(trace, SpanId::NONE, entry, end_ns, 80_000_000);
        }
        fleet.batches.extend(fleet.buffers.drain(..).filter(|rest| !rest.is_empty()));
        fleet.batches
    }

    fn request(&mut self, trace: TraceId, parent: SpanId, service: u64, end_ns: u64, length_ns: u64) {
        let length_ns = length_ns - self.dice.roll(length_ns / 2);
        let server = self.span(trace, parent, SpanKind::Server, service, end_ns, length_ns);
        let hops = if length_ns > 8_000_000 { 1 + self.dice.roll(3) } else { 0 };
        for hop in 0..hops {
            let callee = (service * 7 + self.dice.roll(CALLEES) * 11 + 8) % SERVICES;
            let end_ns = end_ns - length_ns / 4 * hop - 10_000;
            let mut client = self.span(trace, server.id, SpanKind::Client, service, end_ns, length_ns / 5);
            client.peer = NameId(callee * 31 + 7);
            client.flags = SpanFlags::ADDRESS;
            self.emit(service, client);
            self.request(trace, client.id, callee, end_ns - 500_000, length_ns / 5 - 1_000_000);
        }
        self.emit(service, server);
    }

    fn span(
        &mut self,
        trace: TraceId,
        parent: SpanId,
        kind: SpanKind,
        service: u64,
        end_ns: u64,
        length_ns: u64,
    ) -> Span {
        let name = |text: String| NameId::of(&text);
        let failed = self.dice.roll(200) == 0;
        Span {
            trace,
            id: SpanId(self.dice.roll(u64::MAX - 1) + 1),
            parent,
            start_ns: end_ns - length_ns,
            end_ns,
            service: name(format!("service-{service}")),
            operation: name(format!("GET /route/{}", service % 3)),
            version: name("1.4.2".into()),
            zone: name(format!("zone-{}", service % 3)),
            instance: name(format!("service-{service}-{}", trace.0 as u64 % 2)),
            kind,
            outcome: if failed { Outcome::Failed(Failure::Error) } else { Outcome::Ok },
            ..Span::default()
        }
    }

    fn emit(&mut self, service: u64, span: Span) {
        self.made += 1;
        let buffer = &mut self.buffers[service as usize];
        buffer.push(span);
        if buffer.len() == BATCH {
            self.batches.push(std::mem::replace(buffer, Vec::with_capacity(BATCH)));
        }
    }
}

/// The same fleet a while later: other traces, other times.
fn later(batches: &mut [Vec<Span>], by_ns: u64) {
    for span in batches.iter_mut().flatten() {
        span.trace.0 = span.trace.0.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        span.start_ns += by_ns;
        span.end_ns += by_ns;
    }
}

struct Path {
    marks: Option<Watermarks>,
    shard: Shard,
    merger: Merger,
    newest_ns: u64,
    calls: u64,
}

impl Path {
    fn new(marks: Option<Watermarks>) -> Path {
        let shard = Shard::new(ShardConfig::default());
        Path { marks, shard, merger: Merger::new(1), newest_ns: 0, calls: 0 }
    }

    fn take(&mut self, batch: &[Span]) {
        let low_ns = match &mut self.marks {
            None => {
                self.newest_ns = batch.iter().map(|span| span.end_ns).max().unwrap_or(0).max(self.newest_ns);
                self.newest_ns - 1_000_000_000
            }
            Some(marks) => {
                for span in batch {
                    let admit = marks.observe(PartitionId::default(), span.instance, span.end_ns, None);
                    assert!(admit != Admit::Future);
                }
                marks.low_ns().unwrap_or(0)
            }
        };
        self.shard.observe(batch, &[], Counting::PROMPT);
        if low_ns >= self.shard.closed_until_ns() + 1_000_000_000 {
            let parts = self.shard.close_until(low_ns);
            for window in self.merger.push(0, parts, low_ns) {
                self.calls += window.edges.iter().map(|row| row.calls.0 / 1024).sum::<u64>();
            }
        } else {
            self.shard.pass(low_ns);
        }
    }
}

fn windows(criterion: &mut Criterion) {
    let mut batches = Fleet::batches();
    let spans: usize = batches.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("windows");
    group.throughput(Throughput::Elements(spans as u64)).sample_size(10).measurement_time(Duration::from_secs(8));
    for (name, marked) in [("pair_and_close", false), ("watermarks_pair_and_close", true)] {
        let marks = Watermarks::new(Grace::Fixed { grace_ms: 1000 }, WatermarkConfig::default());
        let mut path = Path::new(marked.then_some(marks));
        group.bench_function(name, |bench| {
            bench.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    later(&mut batches, SPANS as u64 * (1_000_000_000 / SPANS_PER_S) + 2_000_000_000);
                    let begun = Instant::now();
                    batches.iter().for_each(|batch| path.take(black_box(batch)));
                    spent += begun.elapsed();
                }
                spent
            });
        });
        assert!(path.calls > 0 && path.shard.counters().evicted == 0 && path.shard.counters().duplicates == 0);
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
