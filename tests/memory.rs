//! Promise: memory is bounded whatever comes in, an edge costs at most 4 KiB, and no span allocates once it has
//! run for a while. A counting allocator watches, thread by thread.

mod watched;

use engine::{Engine, EngineConfig, Input};
use lab::Mix;
use lab::generate::Chorus;
use model::{
    Count, EdgeKey, EdgeRow, NameId, Named, ServiceKey, ServiceRow, Span, SpanFlags, SpanId, SpanKind, SparseHistogram,
    TraceId, Window,
};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use watched::{calls, live, spent};
use window::{Counting, Grace, Merger, PartitionId, Shard, ShardConfig, WatermarkConfig, Watermarks};

const SECOND_NS: u64 = 1_000_000_000;
const BEGIN_NS: u64 = 1_750_000_000 * SECOND_NS;

/// A second in which services call the five after them; each edge has two operation pairs and durations that wander.
fn busy_window(services: u64, second: u64) -> Window {
    let durations = |seed: u64, middle_us: u64| {
        let bucket = |step: u64| (middle_us + (seed * 7 + second * 13 + step * 3) % 24 * middle_us / 16, Count::of(2));
        SparseHistogram::from_pairs((0..10).map(bucket).collect())
    };
    let name = |index: u64| NameId::of(&format!("service-{index}"));
    let mut edges: Vec<EdgeRow> = (0..services)
        .flat_map(|caller| (1..=5).flat_map(move |step| (0..2).map(move |operation| (caller, step, operation))))
        .map(|(caller, step, operation)| EdgeRow {
            key: EdgeKey {
                caller: name(caller),
                callee: name(caller + step),
                callee_operation: NameId(operation + 1),
                ..EdgeKey::default()
            },
            calls: Count::of(20),
            first_attempts: Count::of(20),
            client: durations(caller + step, 10_000),
            server: durations(caller + step, 9_000),
            gap: durations(caller + step, 500),
            exemplars: vec![TraceId(1), TraceId(2), TraceId(3), TraceId(4)],
            ..EdgeRow::default()
        })
        .collect();
    edges.sort_by_key(|row| row.key);
    let mut rows: Vec<ServiceRow> = (0..services + 5)
        .map(|index| ServiceRow {
            key: ServiceKey { service: name(index), ..ServiceKey::default() },
            calls: Count::of(100),
            duration: durations(index, 10_000),
            exclusive: durations(index, 5_000),
            ..ServiceRow::default()
        })
        .collect();
    rows.sort_by_key(|row| row.key);
    let end_ns = BEGIN_NS + second * SECOND_NS;
    let (spans, completeness_permille) = (edges.len() as u64 * 40, 1000);
    Window { end_ns, width_ns: SECOND_NS, completeness_permille, spans, services: rows, edges, ..Window::default() }
}

#[test]
fn an_edge_costs_the_engine_at_most_four_kibibytes_and_memory_stays_flat() {
    const SERVICES: u64 = 1_000;
    let before = live();
    let mut engine = Engine::new(EngineConfig::default());
    let mut held = Vec::new();
    for second in 0..240 {
        let input = Input::Window(busy_window(SERVICES, second));
        drop(engine.apply(&input));
        drop(input);
        held.push(live().wrapping_sub(before));
    }
    let edges = engine.graph().edges().count();
    assert_eq!(edges, SERVICES as usize * 5);
    let per_edge = held[239] / edges;
    assert!(per_edge <= runtime::EDGE_BYTES_MAX, "{per_edge} bytes an edge, its share of services included");
    assert!(
        held[239] <= held[119] + held[119] / 20,
        "flat: {} bytes after two minutes, {} after four",
        held[119],
        held[239]
    );
    println!("{per_edge} bytes of engine state an edge");
}

#[test]
fn no_span_allocates_on_the_hot_path_in_the_steady_state() {
    let mut chorus = Chorus::new(&Mix::PLAIN.topology(), 1, Encoding::OtlpProto);
    chorus.sing(1, BEGIN_NS);
    let (mut reader, mut facts) = (Reader::new(ReaderConfig::default()), Facts::default());
    let mut marks = Watermarks::new(Grace::Fixed { grace_ms: 1_000 }, WatermarkConfig::default());
    let mut shard = Shard::new(ShardConfig { pair_ttl_ns: 2 * SECOND_NS, ..ShardConfig::default() });
    let (mut record, mut closed_ns) = (Vec::new(), 0);
    let (mut spans, mut allocations, mut settling_allocations, mut rows, mut closes) = (0, 0, 0, 0, 0);
    while closes < 20 {
        let meta = chorus.next_record(&mut record).expect("it sings on");
        let before = calls();
        facts.clear();
        reader.read(Encoding::OtlpProto, &record, &mut facts).expect("a good record");
        for span in &facts.spans {
            marks.observe(PartitionId::default(), span.instance, span.end_ns, None);
        }
        shard.observe(&facts.spans, &facts.names, Counting::PROMPT);
        let settling = calls();
        shard.pass(marks.low_ns().unwrap_or(0));
        let settled = calls();
        // Twelve seconds: every generation of remembered spans has been turned over twice.
        if closes >= 12 {
            allocations += settling - before;
            settling_allocations += settled - settling;
            spans += u64::from(meta.spans);
        }
        let low_ns = marks.low_ns().unwrap_or(0) / SECOND_NS * SECOND_NS;
        if low_ns > closed_ns {
            // Closed rows leave: what they take along is allocated anew, once a second and not per span.
            (closed_ns, closes) = (low_ns, closes + 1);
            let counted = usize::from(closes > 12);
            for part in shard.close_until(low_ns) {
                rows += (part.window().edges.len() + part.window().flows.len()) * counted;
            }
        }
    }
    assert!(spans > 80_000, "{spans}");
    // No span allocates; a list of an open window that is longer than ever before grows, a few times a window.
    assert!(allocations * 2_000 < spans as usize, "{allocations} allocations in {spans} spans");
    // What settling finds goes to rows, and each of those that leaves takes a few lists along.
    assert!(settling_allocations < rows * 2, "{settling_allocations} allocations for {rows} rows of edges and flows");
    println!("{allocations} allocations in {spans} spans, {settling_allocations} for {rows} rows");
}

fn noise(step: u64) -> u64 {
    model::stable_hash(&step.to_le_bytes())
}

/// A request of a service that never comes again, to a peer that never comes again.
fn stranger(step: u64, end_ns: u64) -> [Span; 2] {
    let server = Span {
        trace: TraceId(u128::from(noise(step))),
        id: SpanId(noise(step) | 1),
        kind: SpanKind::Server,
        service: NameId(noise(step | 1 << 61)),
        operation: NameId::of("GET /"),
        start_ns: end_ns - 1_000_000,
        end_ns,
        ..Span::default()
    };
    let (id, peer) = (SpanId(noise(step) | 2), NameId(noise(step | 1 << 62)));
    let client = Span { id, parent: server.id, kind: SpanKind::Client, peer, flags: SpanFlags::ADDRESS, ..server };
    [server, client]
}

#[test]
fn a_flood_of_ten_million_names_stays_within_the_budget_and_real_services_are_still_seen() {
    const MEMORY: usize = 256 << 20;
    const STRANGERS: u64 = 5_000_000;
    const PER_SECOND: u64 = 250_000;
    let budget = runtime::Budget::divide(MEMORY, 1, 2_000).expect("enough");
    let config = ShardConfig { budget_bytes: budget.shard_bytes, edges_max: 2_000, ..ShardConfig::default() };
    let (most, _, engine) = spent(|| {
        let (mut shard, mut merger) = (Shard::new(config), Merger::new(1));
        let mut engine = Engine::new(EngineConfig { edges_max: 2_000, ..EngineConfig::default() });
        for step in 0..STRANGERS {
            let end_ns = BEGIN_NS + step * (SECOND_NS / PER_SECOND);
            let spans = stranger(step, end_ns);
            let names = [spans[0].service, spans[1].peer].map(|id| Named { id, text: format!("random-{}", id.0) });
            shard.observe(&spans, &names, Counting::PROMPT);
            if step % 100 == 0 {
                let service = NameId::of(["web", "cart", "pay"][(step / 100 % 3) as usize]);
                let trace = TraceId(u128::from(noise(step | 1 << 60)));
                let real = Span { trace, id: SpanId(9), service, ..spans[0] };
                shard.observe(&[real], &[Named::of("web"), Named::of("cart"), Named::of("pay")], Counting::PROMPT);
            }
            if step % (PER_SECOND / 4) == 0 {
                let low_ns = end_ns.saturating_sub(SECOND_NS) / SECOND_NS * SECOND_NS;
                for window in merger.push(0, shard.close_until(low_ns), low_ns) {
                    drop(engine.apply(&Input::Window(window)));
                }
            }
        }
        engine
    });
    assert!(most <= MEMORY, "{} MiB of {} at the highest", most >> 20, MEMORY >> 20);
    for name in ["web", "cart", "pay"] {
        let seen = engine.graph().service(NameId::of(name)).unwrap_or_else(|| panic!("{name} is in the graph"));
        let rate = seen.rates().calls_rps;
        assert!((600.0..=1_100.0).contains(&rate), "{name}: {rate} of 833 requests a second");
        assert_eq!(engine.graph().name(NameId::of(name)), name);
    }
    println!("{} MiB at the highest, of {}", most >> 20, MEMORY >> 20);
}

#[test]
fn a_megabyte_of_empty_spans_costs_next_to_nothing_on_the_whole_way() {
    // ResourceSpans of ScopeSpans of spans without a byte: half a million of them.
    let empty = [0x12, 0x00].repeat(500_000);
    let scope = field(0x12, &empty);
    let payload = field(0x0a, &scope);
    assert!(payload.len() > 1_000_000);
    let (mut reader, mut facts) = (Reader::new(ReaderConfig::default()), Facts::default());
    let mut shard = Shard::new(ShardConfig::default());
    // Whether it is poison or a record without spans is the decoder's to say; the rest of the way must not grow by it.
    let (most, _, spans) = spent(|| {
        let spans = reader.read(Encoding::OtlpProto, &payload, &mut facts).unwrap_or(0);
        shard.observe(&facts.spans, &facts.names, Counting::PROMPT);
        spans
    });
    assert_eq!(spans, 0, "a span without id and time is none");
    assert!(most < 1 << 20, "{most} bytes");
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}
