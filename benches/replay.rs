//! The whole path of a replay on one thread: decode, pair, windows, graph, learn, detect, decide. Floors: 1 M spans a second
//! from protobuf, 0.25 M from JSON.
#![allow(missing_docs)]

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use lab::generate::{Generator, Rate};
use runtime::{Replay, ReplayConfig};
use std::hint::black_box;
use telemetry::Encoding;

/// Half a minute of the shop, its fault included.
const SPANS: u64 = 100_000;
const START_NS: u64 = 1_750_000_000_000_000_000;

fn records(encoding: Encoding) -> (Vec<Vec<u8>>, u64) {
    let topology = lab::builtin("shop").expect("the shop is built in");
    let mut generator = Generator::new(&topology, 1, Rate::SpansPerSecond(2500.0), encoding, START_NS);
    let (mut records, mut spans, mut record) = (Vec::new(), 0, Vec::new());
    while let Some(meta) = generator.next_record(&mut record) {
        records.push(record.clone());
        spans += u64::from(meta.spans);
        if spans >= SPANS {
            break;
        }
    }
    (records, spans)
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, encoding) in [("protobuf", Encoding::OtlpProto), ("json", Encoding::OtlpJson)] {
        let (records, spans) = records(encoding);
        group.throughput(Throughput::Elements(spans));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut replay = Replay::new(ReplayConfig::default());
                for record in &records {
                    replay
                        .record(encoding, record, &mut |replayed| drop(black_box(replayed)))
                        .expect("our own records");
                }
                replay.finish(&mut |replayed| drop(black_box(replayed)));
                assert_eq!(replay.counts().spans, spans);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
