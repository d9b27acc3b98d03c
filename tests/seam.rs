//! Promise: the engine cannot tell rows that were made in its own process from rows that were read from a topic. That is the
//! seam along which the work can be spread over machines: members window the spans of their traces and publish closed rows,
//! one engine merges them.

use engine::{Effect, Engine, EngineConfig, Input};
use kafka::{Edge, Embedded, Outgoing, Tail, TailConfig, Writer, WriterConfig};
use lab::generate::{Generator, Rate};
use std::time::Duration;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Counting, Grace, Merger, Part, PartitionId, Shard, ShardConfig, WatermarkConfig, Watermarks};

const MEMBERS: usize = 2;
const SECOND_NS: u64 = 1_000_000_000;
const BEGIN_NS: u64 = 1_750_000_000 * SECOND_NS;
/// The shop's fault begins at 20 s.
const LENGTH_NS: u64 = 45 * SECOND_NS;

/// What one member has closed, in the order in which it closed it.
#[derive(Clone)]
struct Closed {
    member: usize,
    until_ns: u64,
    parts: Vec<Part>,
}

/// A cascade's spans, windowed by members that each hold the traces of their own.
fn closed_by_members() -> Vec<Closed> {
    let shop = lab::builtin("shop").expect("it is built in");
    let mut generator = Generator::new(&shop, 7, Rate::SpansPerSecond(2_500.0), Encoding::OtlpProto, BEGIN_NS);
    let (mut reader, mut facts, mut record) = (Reader::new(ReaderConfig::default()), Facts::default(), Vec::new());
    let mut marks = Watermarks::new(Grace::Fixed { grace_ms: 1_000 }, WatermarkConfig::default());
    let mut shards: Vec<Shard> = (0..MEMBERS).map(|_| Shard::new(ShardConfig::default())).collect();
    let (mut closed, mut closed_ns) = (Vec::new(), 0);
    while let Some(meta) = generator.next_record(&mut record).filter(|meta| meta.at_ns < BEGIN_NS + LENGTH_NS) {
        facts.clear();
        reader.read(Encoding::OtlpProto, &record, &mut facts).expect("a good record");
        for (member, shard) in shards.iter_mut().enumerate() {
            shard.observe(&[], &facts.names, Counting::PROMPT);
            for span in facts.spans.iter().filter(|span| span.trace.hash() % MEMBERS as u64 == member as u64) {
                marks.observe(PartitionId::default(), span.instance, span.end_ns, Some(meta.at_ns / 1_000_000));
                shard.observe(std::slice::from_ref(span), &[], Counting::PROMPT);
            }
        }
        let until_ns = marks.low_ns().unwrap_or(0) / SECOND_NS * SECOND_NS;
        if until_ns > closed_ns {
            closed_ns = until_ns;
            let close = |(member, shard): (usize, &mut Shard)| {
                let parts = shard.close_until(until_ns);
                Closed { member, until_ns, parts }
            };
            closed.extend(shards.iter_mut().enumerate().map(close));
        }
    }
    closed
}

/// What an engine does with them.
fn decided(closed: impl IntoIterator<Item = Closed>) -> (Vec<Effect>, [u8; 32]) {
    let mut merger = Merger::new(MEMBERS);
    let mut engine = Engine::new(EngineConfig { warmup_windows: 12, ..EngineConfig::default() });
    let mut effects = Vec::new();
    for Closed { member, until_ns, parts } in closed {
        for window in merger.push(member, parts, until_ns) {
            let now_ms = window.end_ns / 1_000_000 + 1_000;
            effects.extend(engine.apply(&Input::Tick { now_ms }));
            effects.extend(engine.apply(&Input::Window(window)));
        }
    }
    (effects, engine.digest())
}

/// The same rows after a way over a topic with a partition for each member, and one member far behind the other.
fn over_a_topic(closed: &[Closed]) -> Vec<Closed> {
    let broker = Embedded::start().expect("loopback is there");
    let mut read = Vec::new();
    for member in 0..MEMBERS {
        let topic = format!("rows-{member}");
        broker.create_topic(&topic, 1).expect("an allowed name");
        let writer = Writer::connect(&WriterConfig { connection: broker.connection(), ..WriterConfig::default() });
        let writer = writer.expect("the broker answers");
        for one in closed.iter().filter(|one| one.member == member) {
            let value = postcard::to_stdvec(&(one.until_ns, &one.parts)).expect("plain data");
            writer.send(&Outgoing::new(&topic, one.until_ns.to_string(), value)).expect("room");
        }
        writer.flush(Duration::from_secs(30)).expect("everything is acknowledged");
        let mut tail =
            Tail::connect(&TailConfig::new(broker.connection(), &topic, Edge::Earliest)).expect("it is there");
        for record in tail.read_to_end(Duration::from_secs(30)).expect("an end") {
            let value = record.value.expect("a value");
            let (until_ns, parts) = postcard::from_bytes(&value).expect("our own rows");
            read.push(Closed { member, until_ns, parts });
        }
    }
    read
}

#[test]
fn rows_read_from_a_topic_give_the_same_findings_and_commands_as_rows_made_here() {
    let closed = closed_by_members();
    let there = over_a_topic(&closed);
    let (here, digest) = decided(closed);
    let (read, read_digest) = decided(there);
    let of = |effects: &[Effect]| {
        let count = |wanted: fn(&Effect) -> bool| effects.iter().filter(|effect| wanted(effect)).count();
        (count(|effect| matches!(effect, Effect::Finding(_))), count(|effect| matches!(effect, Effect::Command(_))))
    };
    let (findings, commands) = of(&here);
    assert!(
        findings > 0 && commands > 0,
        "the cascade is found and answered: {findings} findings, {commands} commands"
    );
    assert!(here == read, "{:?} here and {:?} from the topic", of(&here), of(&read));
    assert_eq!(digest, read_digest, "and the engines know the same");
}
