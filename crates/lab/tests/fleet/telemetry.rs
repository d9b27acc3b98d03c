//! Telemetry as it comes: late, in batches, sampled, with losses, by clocks that are wrong.

use crate::{SECOND_NS, START_UNIX_NS, pair, share, spanning};
use lab::World;
use model::Span;
use std::collections::BTreeMap;
use std::rc::Rc;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

type Names = Rc<BTreeMap<u64, String>>;

/// Everything that has arrived since the last time: service, span, and the texts behind the names.
pub(crate) fn read(world: &mut World) -> Vec<(String, Span, Names)> {
    let mut reader = Reader::new(ReaderConfig::default());
    let (mut spans, mut names) = (Vec::new(), BTreeMap::new());
    for export in world.take_exports() {
        let mut payload = Vec::new();
        export.encode_into(Encoding::OtlpProto, &mut payload);
        let mut facts = Facts::default();
        reader.read(Encoding::OtlpProto, &payload, &mut facts).unwrap();
        names.extend(facts.names.into_iter().map(|named| (named.id.0, named.text)));
        spans.extend(facts.spans.into_iter().map(|span| (export.service().to_owned(), span)));
    }
    let names = Rc::new(names);
    spans.into_iter().map(|(service, span)| (service, span, names.clone())).collect()
}

const BACK: &str = "workers = 50\ninstances = 4\n[[service.operation]]\nname = \"GET /\"\nmean_us = 5000";

fn toml(telemetry: &str) -> String {
    pair(200, "", BACK, "").replacen("[[client]]", &format!("[telemetry]\n{telemetry}\n[[client]]"), 1)
}

#[test]
fn batches_arrive_late_and_in_the_order_of_their_arrival() {
    let mut world = spanning(&toml("flush_ms = 200\ndelay_ms = 300\njitter_ms = 200"), 1);
    let mut last_ns = 0;
    let mut delays_ms = Vec::new();
    for step in 1..=100 {
        let now_ns = START_UNIX_NS + step * SECOND_NS / 10;
        world.run_until(step * SECOND_NS / 10);
        for export in world.take_exports() {
            assert!(export.at_ns <= now_ns && export.at_ns >= last_ns, "it is given out when it is there");
            last_ns = export.at_ns;
            let mut payload = Vec::new();
            export.encode_into(Encoding::OtlpProto, &mut payload);
            let mut facts = Facts::default();
            Reader::new(ReaderConfig::default()).read(Encoding::OtlpProto, &payload, &mut facts).unwrap();
            let newest_ns = facts.spans.iter().map(|span| span.end_ns).max().unwrap();
            delays_ms.push((export.at_ns - newest_ns) as f64 / 1e6);
        }
    }
    let mean_ms = delays_ms.iter().sum::<f64>() / delays_ms.len() as f64;
    let least_ms = delays_ms.iter().copied().fold(f64::INFINITY, f64::min);
    // 300 and 200 on average, and a few since the newest span of a batch ended
    assert!(least_ms >= 300.0 && (mean_ms - 515.0).abs() < 40.0, "{least_ms} {mean_ms}");
}

#[test]
fn a_share_of_batches_is_lost() {
    let count = |telemetry: &str| {
        let mut world = spanning(&toml(telemetry), 2);
        world.run_until(60 * SECOND_NS);
        world.take_exports().len() as u64
    };
    let left = share(count("flush_ms = 200\nloss = 0.25"), count("flush_ms = 200"));
    assert!((left - 0.75).abs() < 0.05, "{left}");
}

#[test]
fn clocks_of_instances_are_wrong_by_up_to_the_skew_each_by_its_own() {
    let mut world = spanning(&toml("skew_ms = 500"), 3);
    world.run_until(20 * SECOND_NS);
    let spans = read(&mut world);
    let clients: BTreeMap<u64, &Span> =
        spans.iter().filter(|(service, ..)| service == "front").map(|(_, span, _)| (span.id.0, span)).collect();
    let mut gaps: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for (_, span, _) in spans.iter().filter(|(service, ..)| service == "back") {
        // the client's half may not have arrived yet
        let Some(client) = clients.get(&span.parent.0) else { continue };
        gaps.entry(span.instance.0).or_default().push(span.start_ns as i64 - client.start_ns as i64);
    }
    let means: Vec<i64> = gaps.values().map(|gaps| gaps.iter().sum::<i64>() / gaps.len() as i64 / 1_000_000).collect();
    assert_eq!(means.len(), 4);
    // two clocks differ by twice the skew at most; within an instance the error is the same all the time
    assert!(
        means.iter().all(|gap_ms| gap_ms.abs() <= 1001) && means.iter().any(|gap_ms| gap_ms.abs() > 50),
        "{means:?}"
    );
    let spread = gaps.values().map(|gaps| gaps.iter().max().unwrap() - gaps.iter().min().unwrap()).max().unwrap();
    assert!(spread < 5_000_000, "{spread}");
}

#[test]
fn sampled_spans_say_how_many_they_stand_for() {
    let mut world = spanning(&toml("sample = 0.1"), 4);
    world.run_until(60 * SECOND_NS);
    let spans = read(&mut world);
    let estimate =
        spans.iter().filter(|(service, ..)| service == "back").map(|(_, span, _)| f64::from(span.weight.0) / 1024.0);
    let (estimate, truth) = (estimate.sum::<f64>(), world.total().offered as f64);
    assert!((estimate / truth - 1.0).abs() < 0.1, "{estimate} of {truth}");
}
