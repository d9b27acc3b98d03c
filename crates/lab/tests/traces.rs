//! Spans form whole traces: one root, every server span has its client's span as parent.

use lab::{Topology, World, WorldConfig, builtin, builtin_toml};
use model::{Failure, Outcome, Span, SpanFlags, SpanId, SpanKind};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

const SECOND_NS: u64 = 1_000_000_000;

fn spans(topology: Topology, encoding: Encoding, seconds: u64) -> (Vec<Span>, BTreeMap<u64, String>) {
    let config = WorldConfig { seed: 11, start_unix_ns: 1_750_000_000 * SECOND_NS, obey: true };
    let mut world = World::new(topology, config);
    world.run_until(seconds * SECOND_NS);
    world.stop_arrivals();
    world.run_until((seconds + 40) * SECOND_NS);
    let mut reader = Reader::new(ReaderConfig::default());
    let (mut all, mut names) = (Vec::new(), BTreeMap::new());
    for export in world.take_exports() {
        let mut payload = Vec::new();
        export.encode_into(encoding, &mut payload);
        let mut facts = Facts::default();
        let read = reader.read(encoding, &payload, &mut facts).expect("our own records are readable");
        assert_eq!(read, export.span_count());
        all.extend(facts.spans);
        names.extend(facts.names.into_iter().map(|named| (named.id.0, named.text)));
    }
    (all, names)
}

#[test]
fn traces_have_one_root_and_no_orphans() {
    for seconds in [5, 28] {
        let (spans, _) = spans(builtin("shop").expect("it is known"), Encoding::OtlpProto, seconds);
        let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.id).collect();
        assert_eq!(ids.len(), spans.len(), "span ids repeat");
        let mut traces: BTreeMap<u128, Vec<&Span>> = BTreeMap::new();
        spans.iter().for_each(|span| traces.entry(span.trace.0).or_default().push(span));
        assert!(traces.len() as u64 > 250 * seconds);
        for trace in traces.values() {
            let by_id: BTreeMap<SpanId, &Span> = trace.iter().map(|span| (span.id, *span)).collect();
            let roots = trace.iter().filter(|span| !span.parent.is_some()).count();
            assert_eq!(roots, 1);
            for span in trace.iter().filter(|span| span.parent.is_some()) {
                let parent = by_id.get(&span.parent).expect("the parent is in the trace");
                let fits = match span.kind {
                    SpanKind::Server => parent.kind == SpanKind::Client,
                    SpanKind::Consumer => parent.kind == SpanKind::Producer,
                    _ => matches!(parent.kind, SpanKind::Server | SpanKind::Consumer),
                };
                assert!(fits, "{:?} under {:?}", span.kind, parent.kind);
                assert!(span.start_ns >= parent.start_ns.saturating_sub(1_000_000) && span.end_ns >= span.start_ns);
            }
        }
    }
}

#[test]
fn what_a_span_says_is_what_happened() {
    let (spans, names) = spans(builtin("shop").expect("it is known"), Encoding::OtlpJson, 30);
    let name = |id: model::NameId| names.get(&id.0).map_or("", String::as_str);
    let of = |kind| spans.iter().filter(move |span| span.kind == kind);
    // databases have no spans of their own, and their callers say that they are databases
    assert!(spans.iter().all(|span| name(span.service) != "inventory-db"));
    assert!(of(SpanKind::Client).any(|span| span.flags.has(SpanFlags::DATABASE)));
    assert!(of(SpanKind::Producer).all(|span| span.flags.has(SpanFlags::MESSAGING)));
    assert!(of(SpanKind::Consumer).count() > 500);
    // the entry says criticality, cohort and the client's patience
    let roots: Vec<&Span> = of(SpanKind::Server).filter(|span| !span.parent.is_some()).collect();
    assert!(roots.iter().all(|span| span.criticality.is_some() && span.cohort < 128 && span.timeout_ms >= 1500));
    assert_eq!(roots.iter().filter_map(|span| span.criticality).collect::<BTreeSet<_>>().len(), 4);
    // timeouts are seen from the caller, at the value that was set, and repetitions say so
    let inventory = |span: &&Span| span.kind == SpanKind::Client && name(span.peer) == "inventory";
    let timeouts: Vec<&Span> =
        spans.iter().filter(inventory).filter(|span| span.outcome == Outcome::Failed(Failure::Timeout)).collect();
    assert!(timeouts.len() > 500);
    assert!(timeouts.iter().all(|span| span.duration_us() == u64::from(span.timeout_ms) * 1000));
    assert!(spans.iter().filter(inventory).any(|span| span.attempt == 3));
    let resource = |span: &Span| [span.instance, span.version, span.zone].map(|id| name(id).is_empty());
    assert!(spans.iter().all(|span| resource(span) == [false; 3]));
}

#[test]
fn sampled_fleets_say_their_threshold_and_keep_whole_traces() {
    let text = builtin_toml("shop").expect("it is known").replace("sample = 1.0", "sample = 0.25");
    let (spans, _) = spans(Topology::from_toml(&text).expect("the topology is right"), Encoding::OtlpProto, 20);
    assert!(spans.iter().all(|span| span.weight.0.abs_diff(4096) <= 1), "{:?}", spans[0].weight);
    let traces: BTreeSet<u128> = spans.iter().map(|span| span.trace.0).collect();
    let share = traces.len() as f64 / (20.0 * 300.0);
    assert!((0.2..0.3).contains(&share), "{share}");
    let roots = spans.iter().filter(|span| !span.parent.is_some()).count();
    assert_eq!(roots, traces.len());
}
