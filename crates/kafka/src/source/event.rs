//! What a source tells beside records.

use crate::TopicPartition;

/// What one call of [`crate::Source::poll`] did.
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
        /// The first offset.
        offset: i64,
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
    /// The offset after the last record handed over, or where reading starts.
    pub next_offset: i64,
    /// The log's end that can be read (with read-committed: the last stable offset). `None` until first learned.
    pub end_offset: Option<i64>,
    /// How many offsets lie between. `None` until the end is known.
    pub lag: Option<u64>,
    /// Everything that was there at the last look has been handed over.
    pub at_end: bool,
    /// Is it paused?
    pub paused: bool,
}
