//! A simple reader of one topic, for `tap`, orders, reports, the control topic and the journal.
#![allow(clippy::todo)]

use crate::{Connection, Edge, Error, Isolation, Positions};
use std::time::Duration;

/// What a tail reads.
#[derive(Clone, Debug)]
pub struct TailConfig {
    /// The brokers.
    pub connection: Connection,
    /// The topic; all its partitions are read.
    pub topic: String,
    /// Where it begins.
    pub from: Edge,
    /// Where partitions named here begin instead.
    pub at: Positions,
    /// Which records of transactions are seen.
    pub isolation: Isolation,
}

impl TailConfig {
    /// All committed records of `topic` from `from`.
    pub fn new(connection: Connection, topic: &str, from: Edge) -> TailConfig {
        let at = Positions::new();
        TailConfig { connection, topic: topic.to_owned(), from, at, isolation: Isolation::ReadCommitted }
    }
}

/// A record, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailRecord {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's timestamp, Unix milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A reader of one topic. It belongs to one thread.
pub struct Tail {
    _private: (),
}

impl Tail {
    /// Connects and assigns itself every partition.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::TopicMissing`], [`Error::Denied`].
    pub fn connect(_config: &TailConfig) -> Result<Tail, Error> {
        todo!()
    }

    /// The next record, or `None` if none came within `timeout`.
    ///
    /// # Errors
    /// Only what no waiting mends.
    pub fn next(&mut self, _timeout: Duration) -> Result<Option<TailRecord>, Error> {
        todo!()
    }

    /// Has every partition been read to the end that it had at some moment since connecting?
    pub fn caught_up(&self) -> bool {
        todo!()
    }

    /// Reads until [`Tail::caught_up`] or until `timeout` has passed.
    ///
    /// # Errors
    /// [`Error::Failed`] if the end was not reached in time.
    pub fn read_to_end(&mut self, _timeout: Duration) -> Result<Vec<TailRecord>, Error> {
        todo!()
    }
}
