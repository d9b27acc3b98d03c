//! Partitions and the positions in them.

use std::collections::BTreeMap;
use std::fmt;

/// One partition of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }
}

/// `topic/partition`, as it stands in logs and keys.
impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topic, self.partition)
    }
}

/// Where to read on in a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The offset of the earliest record that is still needed.
    pub offset: i64,
    /// A short text that is committed with the offset and read back with it (the last closed window end and the offset
    /// reached when it closed). Brokers take up to 4,096 bytes (`offset.metadata.max.bytes`).
    pub note: String,
}

impl Position {
    /// A position without a note.
    pub fn at(offset: i64) -> Position {
        Position { offset, note: String::new() }
    }
}

/// The positions of many partitions.
pub type Positions = BTreeMap<TopicPartition, Position>;

/// An end of a partition's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// The oldest record that is still there.
    Earliest,
    /// Only what comes from now on.
    #[default]
    Latest,
}

/// Which records of transactions are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Only those of committed transactions.
    #[default]
    ReadCommitted,
    /// All, also aborted ones.
    ReadUncommitted,
}

impl Isolation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        }
    }
}
