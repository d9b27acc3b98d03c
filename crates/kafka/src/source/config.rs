//! What a source reads and how, and its client: which of librdkafka's knobs are turned, and why.

use crate::heard::Heard;
use crate::{Connection, Edge, Error, Isolation, Positions};
use rdkafka::consumer::BaseConsumer;

/// Where reading starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the positions that are committed in the group; partitions without one at `otherwise`.
    Positions {
        /// Where nothing is committed.
        otherwise: Edge,
    },
    /// At these positions; partitions that are not among them at `otherwise`.
    At {
        /// Where to begin.
        positions: Positions,
        /// For partitions that `positions` does not name.
        otherwise: Edge,
    },
    /// At the oldest record.
    Earliest,
    /// At what comes from now on.
    Latest,
}

/// Does the client check the CRC of every batch again?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crc {
    /// No: TCP and (with TLS) the record layer have checked the bytes, the broker has checked the batch when it was
    /// produced, and the decoder takes nothing on trust. It saves about a tenth of the client's CPU.
    #[default]
    Skip,
    /// Yes, for disks and networks that are not trusted.
    Check,
}

/// What a source reads, and how.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The brokers.
    pub connection: Connection,
    /// The topics. Their order gives [`crate::RecordRef::topic_index`].
    pub topics: Vec<String>,
    /// The group that holds the committed positions. The source never joins it.
    pub group: String,
    /// Where reading starts. New partitions that appear later always start at their oldest record.
    pub start: Start,
    /// How many bytes are fetched ahead, over all partitions (`queued.max.messages.kbytes`).
    pub prefetch_bytes_max: usize,
    /// How often new partitions are looked for, milliseconds.
    pub refresh_ms: u32,
    /// A partition that lags and gives nothing for so long makes the source reconnect, milliseconds.
    pub stall_ms: u32,
    /// Lag, high watermarks and "at the end" are learned this often, milliseconds.
    pub statistics_ms: u32,
    /// Which records of transactions are seen.
    pub isolation: Isolation,
    /// Is the CRC checked?
    pub crc: Crc,
}

impl Default for SourceConfig {
    fn default() -> Self {
        SourceConfig {
            connection: Connection::default(),
            topics: vec!["otlp_spans".to_owned()],
            group: "stopbank".to_owned(),
            start: Start::Positions { otherwise: Edge::Latest },
            prefetch_bytes_max: 64 << 20,
            refresh_ms: 30_000,
            stall_ms: 30_000,
            statistics_ms: 500,
            isolation: Isolation::ReadCommitted,
            crc: Crc::Skip,
        }
    }
}

/// A consumer that reads nothing yet.
pub(super) fn consumer(config: &SourceConfig) -> Result<BaseConsumer<Heard>, Error> {
    let connection = &config.connection;
    let prefetch_kib = (config.prefetch_bytes_max / 1024).clamp(1, 2_097_151);
    let defaults = [
        // Only the name under which positions are committed: the group is never joined.
        ("group.id", config.group.clone()),
        ("enable.auto.commit", "false".to_owned()),
        ("enable.auto.offset.store", "false".to_owned()),
        // A position outside of the log is an error here, so that the gap is told before reading goes on.
        ("auto.offset.reset", "error".to_owned()),
        ("isolation.level", config.isolation.as_str().to_owned()),
        ("check.crcs", (config.crc == Crc::Check).to_string()),
        // The budget for what is fetched ahead counts for the whole client, because the queue is not split.
        ("queued.max.messages.kbytes", prefetch_kib.to_string()),
        // Bytes are the bound, not messages: one message holds from one span to thousands.
        ("queued.min.messages", "1000000".to_owned()),
        // When the budget is used up, look again soon: the default of a second starves a fast reader.
        ("fetch.queue.backoff.ms", "10".to_owned()),
        // Latency when little comes: the broker answers an empty fetch after so long.
        ("fetch.wait.max.ms", "100".to_owned()),
        ("fetch.error.backoff.ms", "100".to_owned()),
        ("statistics.interval.ms", config.statistics_ms.to_string()),
        ("topic.metadata.refresh.interval.ms", config.refresh_ms.max(10).to_string()),
    ];
    connection
        .consumer_config(&defaults)?
        .create_with_context(connection.consumer_context()?)
        .map_err(|error| connection.refused(&error))
}
