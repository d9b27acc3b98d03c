//! What a running pipeline lets others see: the latest graph, findings, commands, counters, latencies and health. Written
//! by the actors, read by anyone; readers never hold up a writer for longer than a pointer's copy.

mod counters;
mod latency;
mod latest;
mod progress;
mod ring;

pub use counters::{Counter, Counters};
pub use latency::{Latencies, Latency, Quantiles};
pub use latest::Latest;
pub use progress::{Phase, Progress, Role, Verdict};
pub use ring::{Happened, Ring};

use crate::capacity::{EVENTS_KEPT, PULSES_KEPT};
use crate::metrics::ServiceGraph;
use model::{Command, Finding, GraphView, Mode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A command that is in force, or a proposal that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The command.
    pub command: Command,
    /// When its lease ends unless it is renewed, Unix milliseconds.
    pub expires_ms: u64,
}

/// Something that happened, for event streams.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A finding opened, changed or closed.
    Finding(Finding),
    /// A command or proposal was sent, renewed or released.
    Command(Command),
}

/// Goodput at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pulse {
    /// The window's end, Unix milliseconds.
    pub at_ms: u64,
    /// Entry requests per second that succeeded.
    pub goodput_rps: f64,
    /// Entry requests per second.
    pub offered_rps: f64,
}

/// How far the engine may go at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autonomy {
    /// The mode of everything that has none of its own.
    pub mode: Mode,
    /// Who has disarmed it, if it is.
    pub disarmed_by: Option<String>,
}

/// One telemetry partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Records not yet read; `None` until known.
    pub lag: Option<u64>,
    /// The grace of its windows, milliseconds.
    pub grace_ms: u32,
    /// Has it fallen silent?
    pub idle: bool,
}

/// How an owner came to its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Had it followed the journal before?
    pub warm: bool,
    /// Journal entries taken in after the snapshot, those that were followed included.
    pub replayed: u64,
    /// From the election to the state: fencing, claiming, reading, replaying.
    pub took: Duration,
}

/// What one shard holds.
#[derive(Debug, Default)]
pub(crate) struct ShardGauge {
    pub(crate) bytes: AtomicU64,
    pub(crate) spans: AtomicU64,
}

/// The shared state of a pipeline.
#[derive(Debug)]
pub struct State {
    /// The decision domain.
    pub domain: String,
    /// The live graph.
    pub graph: Latest<GraphView>,
    /// Open findings.
    pub findings: Latest<Vec<Finding>>,
    /// Commands in force and proposals that stand, by target and knob.
    pub commands: Latest<Vec<Standing>>,
    /// How far the engine may go.
    pub autonomy: Latest<Autonomy>,
    /// The telemetry partitions.
    pub partitions: Latest<Vec<PartitionStatus>>,
    /// What was counted since the start.
    pub counters: Counters,
    /// The pipeline's own latencies.
    pub latencies: Mutex<Latencies>,
    /// Phase, heartbeats and complaints.
    pub progress: Progress,
    /// How the present owner came to its state; `None` before the first claim.
    pub recovered: Latest<Option<Recovered>>,
    /// The end of the last window that this standby has followed, Unix milliseconds; `None` while it does not.
    pub following: Latest<Option<u64>>,
    pub(crate) journal_index: AtomicU64,
    pub(crate) snapshot_index: AtomicU64,
    pub(crate) shards: Vec<ShardGauge>,
    pub(crate) events: Mutex<Ring<Event>>,
    pub(crate) pulses: Mutex<Ring<Pulse>>,
    pub(crate) service_graph: Mutex<ServiceGraph>,
}

impl State {
    pub(crate) fn new(domain: &str, mode: Mode, shards: usize) -> State {
        State {
            domain: domain.to_owned(),
            graph: Latest::default(),
            findings: Latest::default(),
            commands: Latest::default(),
            autonomy: Latest::new(Autonomy { mode, disarmed_by: None }),
            partitions: Latest::default(),
            counters: Counters::default(),
            latencies: Mutex::default(),
            progress: Progress::default(),
            recovered: Latest::default(),
            following: Latest::default(),
            journal_index: AtomicU64::new(0),
            snapshot_index: AtomicU64::new(0),
            shards: (0..shards).map(|_| ShardGauge::default()).collect(),
            events: Mutex::new(Ring::new(EVENTS_KEPT)),
            pulses: Mutex::new(Ring::new(PULSES_KEPT)),
            service_graph: Mutex::default(),
        }
    }

    /// What happened since `next` (0 is everything that is still kept, `u64::MAX` nothing): the place to go on from, and
    /// the events with their places.
    pub fn events(&self, next: u64) -> Happened<Event> {
        locked(&self.events).since(next)
    }

    /// Goodput of the last minutes, oldest first.
    pub fn pulses(&self) -> Vec<Pulse> {
        locked(&self.pulses).since(0).items.into_iter().map(|(_, pulse)| pulse).collect()
    }

    /// Memory of all shards, bytes.
    pub fn shard_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Spans that the shards remember for pairing.
    pub fn shard_spans(&self) -> u64 {
        self.shards.iter().map(|shard| shard.spans.load(Ordering::Relaxed)).sum()
    }

    /// Journal entries that a new owner would have to replay now.
    pub fn since_snapshot(&self) -> u64 {
        let (journal, snapshot) = (&self.journal_index, &self.snapshot_index);
        journal.load(Ordering::Relaxed).saturating_sub(snapshot.load(Ordering::Relaxed))
    }

    /// Prometheus text.
    pub fn metrics(&self) -> String {
        crate::metrics::text(self)
    }
}

/// Takes a lock that a panicking thread may have held: what it protects is only shown, never decided on.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
