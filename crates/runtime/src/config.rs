//! What a pipeline is told when it starts. Plain values with safe defaults; nothing here is read from files or the
//! environment.

use crate::Budget;
use engine::EngineConfig;
use kafka::{Connection, Edge, Topics};
use std::time::Duration;
use telemetry::{Encoding, ReaderConfig};
use window::{Grace, ShardConfig, WatermarkConfig};

/// What kind of broker it is: it decides what can be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broker {
    /// Apache Kafka: one transaction per step, an election by consumer group, fencing.
    Kafka {
        /// Who stands for election, as people should read it (host and process).
        owner: String,
        /// A fixed member name, so that a quick restart keeps the ownership.
        instance: Option<String>,
    },
    /// The embedded broker: no real transactions, no election, no memory across starts.
    Embedded,
}

/// Where reading starts when no position is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beginning {
    /// At what comes from now on.
    #[default]
    Latest,
    /// At the oldest record that is still there.
    Earliest,
}

impl Beginning {
    pub(crate) fn edge(self) -> Edge {
        match self {
            Beginning::Latest => Edge::Latest,
            Beginning::Earliest => Edge::Earliest,
        }
    }
}

/// When a pipeline ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Never: only when it is drained.
    #[default]
    Never,
    /// When every partition has been read to its end and nothing came for so long, after closing every window.
    Idle(Duration),
}

/// Everything a pipeline needs.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// How to reach the brokers.
    pub connection: Connection,
    /// What kind of broker it is.
    pub broker: Broker,
    /// The topics' names.
    pub topics: Topics,
    /// Replicas of topics that are made; `None` leaves it to the broker's default.
    pub replication: Option<i32>,
    /// The prefix of consumer groups; positions are committed under `<group>.<domain>`.
    pub group: String,
    /// Where reading starts when no position is committed.
    pub beginning: Beginning,
    /// Topics of OTLP metrics, in protobuf or JSON; none if empty.
    pub metrics_topics: Vec<String>,
    /// How telemetry records are encoded.
    pub encoding: Encoding,
    /// The decoder's budgets, and how services are named.
    pub reader: ReaderConfig,
    /// How many shards; each has a thread of its own.
    pub shards: usize,
    /// Is each shard's thread kept on a core of its own? For machines that do little else.
    pub pin_shards: bool,
    /// Windows, pairing and caps, per shard.
    pub window: ShardConfig,
    /// How long a window waits for spans that are still on their way.
    pub grace: Grace,
    /// Bounds of the watermarks.
    pub watermark: WatermarkConfig,
    /// The engine, its decision domain among the rest.
    pub engine: EngineConfig,
    /// Signs commands, proposals and the audit trail.
    pub signer: control::Signer,
    /// Whose orders count, besides those over HTTP.
    pub keyring: control::Keyring,
    /// A partition at its log's end that gives nothing for so long holds no window back, milliseconds.
    pub idle_after_ms: u64,
    /// How often the engine hears what time it is, milliseconds.
    pub tick_ms: u64,
    /// When it ends by itself.
    pub ending: Ending,
    /// Windows between two digests of the engine's state in the journal; 0 for none.
    pub digest_every_windows: u32,
    /// Windows between two snapshots of the engine: what a new owner has to replay at most, and about 4,096 entries.
    pub snapshot_every_windows: u32,
    /// The memory of everything that grows with the telemetry, bytes: [`crate::Budget`] divides it at the start.
    pub memory_bytes_max: usize,
    /// Telemetry that is older than this when it is read, and grows no younger, is sampled by trace, milliseconds; zero is
    /// never. An input that ends ([`Ending::Idle`]) is always read in full.
    pub sample_behind_ms: u64,
}

impl PipelineConfig {
    /// A pipeline on these brokers that signs with `signer`, everything else by default (it observes).
    pub fn new(connection: Connection, broker: Broker, signer: control::Signer) -> PipelineConfig {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        PipelineConfig {
            connection,
            broker,
            topics: Topics::default(),
            replication: None,
            group: "stopbank".to_owned(),
            beginning: Beginning::default(),
            metrics_topics: Vec::new(),
            encoding: Encoding::Auto,
            reader: ReaderConfig::default(),
            // One core decodes; the engine's steps are short and share what is left.
            shards: cores.saturating_sub(1).clamp(1, 16),
            pin_shards: false,
            window: ShardConfig::default(),
            grace: Grace::default(),
            watermark: WatermarkConfig::default(),
            engine: EngineConfig::default(),
            signer,
            keyring: control::Keyring::new(),
            idle_after_ms: 2_000,
            tick_ms: 250,
            ending: Ending::default(),
            digest_every_windows: 60,
            snapshot_every_windows: 30,
            memory_bytes_max: 1 << 30,
            sample_behind_ms: 5_000,
        }
    }

    /// The decision domain.
    pub fn domain(&self) -> &str {
        &self.engine.domain
    }

    /// Who gets how much of the memory.
    ///
    /// # Errors
    /// It is too little.
    pub fn budget(&self) -> Result<Budget, String> {
        Budget::divide(self.memory_bytes_max, self.shards, self.engine.edges_max as usize)
    }

    pub(crate) fn sample_behind_ms(&self) -> u64 {
        if self.ending == Ending::Never { self.sample_behind_ms } else { 0 }
    }

    /// The group under which positions are committed.
    pub(crate) fn positions_group(&self) -> String {
        format!("{}.{}", self.group, self.domain())
    }
}
