//! What the spans of a fleet say of it, whoever emitted them: the same reader and the same windows for processes and for the
//! simulation.

use kafka::{Connection, Edge, Tail, TailConfig};
use lab::{Topology, World, WorldConfig};
use model::{NameId, SparseHistogram, Window};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Grace, Labels, Lane, PartitionId, ShardConfig, WatermarkConfig};

const SECOND_NS: u64 = 1_000_000_000;

/// Who calls whom for what.
pub(crate) type Call = (String, String, String);

/// One call of the graph over some seconds.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Calls per second.
    pub(crate) calls_rps: f64,
    /// Half of the callers waited no longer, milliseconds.
    pub(crate) p50_ms: f64,
    /// 99 % of them.
    pub(crate) p99_ms: f64,
}

impl fmt::Display for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:>8.1}/s {:>8.1} {:>8.1}", self.calls_rps, self.p50_ms, self.p99_ms)
    }
}

/// A fleet's windows; the first is the first second of its load.
pub(crate) struct Seen {
    windows: Vec<Window>,
    names: BTreeMap<NameId, String>,
}

/// A record with spans: partition, time of arrival in Unix milliseconds, bytes.
type Record = (i32, u64, Vec<u8>);

impl Seen {
    /// What stands on the topic.
    pub(crate) fn on(connection: &Connection, topic: &str) -> Seen {
        let tail = Tail::connect(&TailConfig::new(connection.clone(), topic, Edge::Earliest));
        let records = tail.and_then(|mut tail| tail.read_to_end(Duration::from_secs(30))).expect("the topic is there");
        let record = |record: kafka::TailRecord| {
            (record.partition, record.timestamp_ms.unwrap_or(0).unsigned_abs(), record.value.unwrap_or_default())
        };
        let mut records: Vec<Record> = records.into_iter().map(record).collect();
        records.sort_by_key(|(_, arrived_ms, _)| *arrived_ms);
        Seen::of(records)
    }

    /// What a simulated fleet emits in so many seconds.
    pub(crate) fn simulated(topology: Topology, seconds: u64, seed: u64) -> Seen {
        let config = WorldConfig { seed, start_unix_ns: 1_750_000_000 * SECOND_NS, obey: true };
        let mut world = World::new(topology, config);
        world.run_until(seconds * SECOND_NS);
        let record = |export: lab::Export| {
            let mut bytes = Vec::new();
            export.encode_into(Encoding::OtlpProto, &mut bytes);
            (0, export.at_ns / 1_000_000, bytes)
        };
        Seen::of(world.take_exports().into_iter().map(record).collect())
    }

    fn of(records: Vec<Record>) -> Seen {
        let shard = ShardConfig { flow_sample: 1, labels: Labels::Trusted, ..ShardConfig::default() };
        let mut lane = Lane::new(Grace::Fixed { grace_ms: 1000 }, WatermarkConfig::default(), shard);
        let (mut reader, mut facts, mut windows) = (Reader::new(ReaderConfig::default()), Facts::default(), Vec::new());
        for (partition, arrived_ms, bytes) in records {
            facts.clear();
            reader.read(Encoding::OtlpProto, &bytes, &mut facts).expect("a record of spans");
            let partition = PartitionId { topic: 0, partition };
            lane.observe(partition, &facts.names, &facts.spans, Some(arrived_ms));
            windows.extend(lane.close());
        }
        windows.extend(lane.drain());
        let named = windows.iter().flat_map(|window| &window.names);
        let names = named.map(|named| (named.id, named.text.clone())).collect();
        let begin = windows.iter().position(|window| !window.flows.is_empty()).expect("somebody asks");
        Seen { windows: windows.split_off(begin), names }
    }

    fn name(&self, id: NameId) -> String {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    /// The graph over these seconds of the load.
    pub(crate) fn graph(&self, seconds: Range<usize>) -> BTreeMap<Call, Traffic> {
        let mut sums: BTreeMap<Call, (f64, SparseHistogram)> = BTreeMap::new();
        for edge in self.windows[seconds.clone()].iter().flat_map(|window| &window.edges) {
            let key = &edge.key;
            let call = (self.name(key.caller), self.name(key.callee), self.name(key.callee_operation));
            let sum = sums.entry(call).or_default();
            sum.0 += edge.calls.calls();
            sum.1.merge(&edge.client);
        }
        let traffic = |(calls, waited): (f64, SparseHistogram)| {
            let ms = |permille| waited.quantile_us(permille).unwrap_or(0) as f64 / 1000.0;
            Traffic { calls_rps: calls / seconds.len() as f64, p50_ms: ms(500), p99_ms: ms(990) }
        };
        sums.into_iter().map(|(call, sum)| (call, traffic(sum))).collect()
    }

    /// The share of requests at the entry that were answered well.
    pub(crate) fn good_share(&self, seconds: Range<usize>) -> f64 {
        let flows = || self.windows[seconds.clone()].iter().flat_map(|window| &window.flows);
        let requests: f64 = flows().map(|flow| flow.requests.calls()).sum();
        flows().map(|flow| flow.good.calls()).sum::<f64>() / requests.max(1.0)
    }

    /// The first second from `from` on in which fewer than half were answered well.
    pub(crate) fn falls_at(&self, from: usize) -> Option<usize> {
        (from..self.windows.len()).find(|at| self.good_share(*at..at + 1) < 0.5)
    }
}
