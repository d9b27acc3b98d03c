//! The source: one consumer on its caller's thread that assigns itself every partition of its topics.
#![allow(clippy::todo)]

use crate::{Connection, Edge, Error, Isolation, Positions, RecordRef, TopicPartition};
use std::time::Duration;

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
    /// The topics. Their order gives [`RecordRef::topic_index`].
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

/// What one call of [`Source::poll`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// Records handed to the callback.
    pub records: usize,
    /// Bytes of their payloads.
    pub bytes: usize,
    /// What happened beside, in order. Empty nearly always (and then it costs nothing).
    pub events: Vec<SourceEvent>,
}

/// What happens to a source beside records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// A partition is read from now on; its first record will have this offset or a higher one.
    Assigned {
        /// Which.
        partition: TopicPartition,
        /// The topic's place in the configuration.
        topic_index: u16,
        /// The first offset, `None` if it is the log's present end.
        offset: Option<i64>,
        /// The note committed with the position, empty if there was none.
        note: String,
    },
    /// The position is no longer in the log (retention, or the topic was made anew): records between are gone.
    Gap {
        /// Which.
        partition: TopicPartition,
        /// Where reading should have gone on.
        from: i64,
        /// Where it goes on.
        to: i64,
    },
    /// A topic does not exist (yet). It is looked for again at each refresh.
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// A partition lagged and gave nothing: the client was thrown away and made anew at the same positions.
    Reconnected {
        /// Which partition.
        partition: TopicPartition,
        /// How long it gave nothing, milliseconds.
        silent_ms: u64,
    },
    /// No broker answers; the client keeps trying. Told once until [`SourceEvent::Reachable`].
    Unreachable {
        /// The last reason.
        reason: String,
    },
    /// Brokers answer again.
    Reachable,
}

/// What is known of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Which.
    pub partition: TopicPartition,
    /// The topic's place in the configuration.
    pub topic_index: u16,
    /// The offset after the last record handed over, or where reading starts. `None` until the start is known.
    pub next_offset: Option<i64>,
    /// The log's end that can be read (with read-committed: the last stable offset). `None` until first learned.
    pub end_offset: Option<i64>,
    /// How many offsets lie between. `None` until both ends are known.
    pub lag: Option<u64>,
    /// Everything that was there at the last look has been handed over.
    pub at_end: bool,
    /// Is it paused?
    pub paused: bool,
}

/// A consumer of all partitions of its topics. It belongs to one thread, which must go on polling also while everything
/// is paused, and on which it should be dropped.
pub struct Source {
    _private: (),
}

impl Source {
    /// Connects and assigns itself every partition.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::Denied`]. A missing topic is no error:
    /// see [`SourceEvent::TopicMissing`].
    pub fn connect(_config: &SourceConfig) -> Result<Source, Error> {
        todo!()
    }

    /// Hands up to `records_max` records to `each`, waits at most `timeout` for the first one. `each` must not block.
    ///
    /// # Errors
    /// Only what no reconnecting mends: the source is to be dropped.
    pub fn poll(
        &mut self,
        _timeout: Duration,
        _records_max: usize,
        _each: &mut dyn FnMut(RecordRef<'_>),
    ) -> Result<Polled, Error> {
        todo!()
    }

    /// Hands nothing over until [`Source::resume`]. What was fetched ahead is fetched again later.
    pub fn pause(&mut self) {
        todo!()
    }

    /// Goes on after [`Source::pause`].
    pub fn resume(&mut self) {
        todo!()
    }

    /// Is the source paused?
    pub fn is_paused(&self) -> bool {
        todo!()
    }

    /// What is known of each partition, ordered by topic and number.
    pub fn partitions(&self) -> Vec<PartitionState> {
        todo!()
    }

    /// The sum of the known lags, records.
    pub fn lag(&self) -> u64 {
        todo!()
    }

    /// Has every partition been read to its end (as of the last look)? `false` while anything is unknown.
    pub fn at_end(&self) -> bool {
        todo!()
    }

    /// The topic's name for [`RecordRef::topic_index`].
    pub fn topic(&self, _index: u16) -> &str {
        todo!()
    }
}
