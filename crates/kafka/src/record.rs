//! Records on their way in (borrowed) and out (owned).

/// A record as it lies in librdkafka's buffer; it lives for one call of the poll callback.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The topic's place in [`crate::SourceConfig::topics`].
    pub topic_index: u16,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp, Unix milliseconds, as the topic is set (producer's or broker's clock).
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; empty for a tombstone.
    pub payload: &'a [u8],
}

/// A record to be written. The broker's default partitioner picks the partition from the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The key, if any.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Outgoing {
    /// A record with key and value and no headers.
    pub fn new(topic: &str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Outgoing {
        Outgoing { topic: topic.to_owned(), key: Some(key.into()), value: Some(value.into()), headers: Vec::new() }
    }

    /// A record of the contract, bound for `topic`. An empty value is a tombstone.
    pub fn of(topic: &str, record: control::Record) -> Outgoing {
        let value = (!record.value.is_empty()).then_some(record.value);
        let headers = record.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        Outgoing { topic: topic.to_owned(), key: Some(record.key.into_bytes()), value, headers }
    }

    /// The same record with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Outgoing {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Where the broker has put a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}
