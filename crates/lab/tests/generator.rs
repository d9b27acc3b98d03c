//! The generator: its rate, its determinism, and fresh ids and times in every round of a replay.

use lab::generate::{Generator, Rate, RecordMeta};
use lab::{Lens, builtin};
use model::SpanFlags;
use std::collections::BTreeSet;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

const SECOND_NS: u64 = 1_000_000_000;
const START_NS: u64 = 1_750_000_000 * SECOND_NS;

fn generator(seed: u64, rate: Rate, encoding: Encoding) -> Generator {
    let shop = builtin("shop").expect("it is known").without_faults();
    Generator::new(&shop, seed, rate, encoding, START_NS)
}

fn next(generator: &mut Generator, record: &mut Vec<u8>) -> RecordMeta {
    generator.next_record(record).expect("the shop is never silent")
}

#[test]
fn paced_streams_have_the_wanted_rate_and_times_that_do_not_go_back() {
    for rate in [500.0, 4_000.0, 40_000.0] {
        let mut generator = generator(3, Rate::SpansPerSecond(rate), Encoding::OtlpProto);
        let (mut record, mut spans, mut last_ns) = (Vec::new(), 0.0, START_NS);
        let (from_ns, until_ns) = (START_NS + 5 * SECOND_NS, START_NS + 35 * SECOND_NS);
        loop {
            let meta = next(&mut generator, &mut record);
            assert!(meta.at_ns >= last_ns && !record.is_empty());
            last_ns = meta.at_ns;
            if meta.at_ns >= until_ns {
                break;
            }
            spans += if meta.at_ns >= from_ns { f64::from(meta.spans) } else { 0.0 };
        }
        let measured = spans / 30.0;
        assert!((measured / rate - 1.0).abs() < 0.08, "{measured} instead of {rate}");
    }
}

#[test]
fn the_same_seed_gives_the_same_records() {
    for rate in [Rate::SpansPerSecond(2_000.0), Rate::Max] {
        for encoding in [Encoding::OtlpProto, Encoding::OtlpJson] {
            let stream = |seed| {
                let mut generator = generator(seed, rate, encoding);
                let mut record = Vec::new();
                let take = |_| (next(&mut generator, &mut record), record.clone());
                (0..300).map(take).collect::<Vec<_>>()
            };
            assert!(stream(1) == stream(1), "{rate:?} {encoding:?}");
            assert!(stream(1) != stream(2), "{rate:?} {encoding:?}");
        }
    }
}

#[test]
fn behind_a_lens_the_stream_is_deterministic_readable_and_another_one() {
    let shop = builtin("shop").expect("it is known").without_faults();
    for rate in [Rate::SpansPerSecond(2_000.0), Rate::Max] {
        for lens in [Lens::Plain, Lens::Mesh, Lens::Messages] {
            for encoding in [Encoding::OtlpProto, Encoding::OtlpJson] {
                let stream = || {
                    let mut generator = Generator::through(lens, &shop, 7, rate, encoding, START_NS);
                    let mut record = Vec::new();
                    let mut reader = Reader::new(ReaderConfig::default());
                    let (mut facts, mut records, mut last_ns) = (Facts::default(), Vec::new(), START_NS);
                    for _ in 0..60 {
                        let meta = next(&mut generator, &mut record);
                        assert!(meta.at_ns >= last_ns, "{lens} {rate:?}");
                        last_ns = meta.at_ns;
                        let read = reader.read(encoding, &record, &mut facts).expect("our own records are readable");
                        assert_eq!(read as u32, meta.spans);
                        records.push(record.clone());
                    }
                    let flag = |flag| facts.spans.iter().any(|span| span.flags.has(flag));
                    (records, flag(SpanFlags::PROXY), flag(SpanFlags::LINKED))
                };
                let (records, proxies, links) = stream();
                assert!(records == stream().0, "{lens} {rate:?} {encoding:?}");
                assert_eq!(
                    (proxies, links),
                    (lens == Lens::Mesh, lens == Lens::Messages),
                    "{lens} {rate:?} {encoding:?}"
                );
            }
        }
    }
}

#[test]
fn every_round_of_a_replay_has_fresh_ids_and_later_times() {
    for encoding in [Encoding::OtlpProto, Encoding::OtlpJson] {
        let mut generator = generator(4, Rate::Max, encoding);
        let mut reader = Reader::new(ReaderConfig::default());
        let (mut record, mut facts) = (Vec::new(), Facts::default());
        let (mut ids, mut per_round, mut spans, mut last_ns) = (BTreeSet::new(), Vec::new(), 0u64, 0);
        let (mut earliest_ns, mut latest_ns) = (u64::MAX, 0);
        while per_round.len() < 3 {
            let meta = next(&mut generator, &mut record);
            if meta.at_ns + SECOND_NS < last_ns {
                panic!("times go back");
            }
            last_ns = meta.at_ns;
            facts.clear();
            reader.read(encoding, &record, &mut facts).expect("our own records are readable");
            assert_eq!((facts.spans.len() as u32, facts.spans[0].trace.0), (meta.spans, meta.key_trace));
            for span in &facts.spans {
                assert!(ids.insert(span.id), "a span id repeats");
                earliest_ns = earliest_ns.min(span.start_ns);
                latest_ns = latest_ns.max(span.end_ns);
                assert!(span.end_ns <= meta.at_ns && span.end_ns >= span.start_ns);
            }
            spans += u64::from(meta.spans);
            if spans > 80_000 * (per_round.len() as u64 + 1) {
                per_round.push(spans);
            }
        }
        assert!(earliest_ns >= START_NS && latest_ns > START_NS + 40 * SECOND_NS);
    }
}
