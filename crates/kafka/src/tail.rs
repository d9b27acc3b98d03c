//! A simple reader of one topic, for `tap`, orders, reports, the control topic and the journal.

use crate::connection::REACH;
use crate::heard::Heard;
use crate::polled::whole_ms;
use crate::{Connection, Edge, Error, Isolation, Positions, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

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

impl TailRecord {
    /// The record as the contract has it. What is no text in key or headers is replaced, so it will not verify.
    pub fn into_record(self) -> control::Record {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers = self.headers.into_iter().map(|(name, value)| (name, text(value))).collect();
        control::Record { key: text(self.key.unwrap_or_default()), value: self.value.unwrap_or_default(), headers }
    }
}

/// A reader of one topic. It belongs to one thread.
pub struct Tail {
    consumer: BaseConsumer<Heard>,
    connection: Connection,
    topic: String,
    /// Partitions whose end has not been seen yet.
    behind: BTreeSet<i32>,
}

impl Tail {
    /// Connects and assigns itself every partition.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::TopicMissing`], [`Error::Denied`].
    pub fn connect(config: &TailConfig) -> Result<Tail, Error> {
        let (connection, topic) = (&config.connection, config.topic.as_str());
        let defaults = [
            // Never joined and never committed to; librdkafka wants a name to hand out its consumer queue.
            ("group.id", "stopbank-tail".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            // A position that retention has taken: go on with the oldest record that is left.
            ("auto.offset.reset", "earliest".to_owned()),
            ("enable.partition.eof", "true".to_owned()),
            ("isolation.level", config.isolation.as_str().to_owned()),
            ("fetch.wait.max.ms", "100".to_owned()),
        ];
        let consumer: BaseConsumer<Heard> = connection
            .consumer_config(&defaults)?
            .create_with_context(connection.consumer_context()?)
            .map_err(|error| connection.refused(&error))?;
        let poll = || drop(consumer.poll(Duration::ZERO));
        let metadata = connection.reach(consumer.client(), consumer.context(), Some(topic), REACH, &poll)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let behind: BTreeSet<i32> =
            found.iter().flat_map(|found| found.partitions()).map(|partition| partition.id()).collect();
        if behind.is_empty() {
            let mend = "make it, or look at its name in the configuration";
            return Err(Error::TopicMissing { topic: topic.to_owned(), mend });
        }
        let failed = |error: KafkaError| connection.failed(&format!("reading topic `{topic}`"), &error);
        let mut list = TopicPartitionList::new();
        for partition in &behind {
            list.add_partition_offset(topic, *partition, start(config, *partition)).map_err(failed)?;
        }
        if config.from == Edge::Latest {
            // "From now on" is from this call on, not from the first fetch on.
            list = consumer.offsets_for_times(list, REACH).map_err(failed)?;
            restore_positions(&mut list, config).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Tail { consumer, connection: connection.clone(), topic: topic.to_owned(), behind })
    }

    /// The next record, or `None` if none came within `timeout`.
    ///
    /// # Errors
    /// Only what no waiting mends.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<TailRecord>, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(whole_ms(left)) {
                None => return Ok(None),
                Some(Ok(message)) => return Ok(Some(owned(&message))),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if self.behind.remove(&partition) && self.behind.is_empty() {
                        // Whoever waits to be caught up need not wait for a record that may never come.
                        return Ok(None);
                    }
                }
                Some(Err(error)) => self.weigh(&error)?,
            }
        }
    }

    /// Has every partition been read to the end that it had at some moment since connecting?
    pub fn caught_up(&self) -> bool {
        self.behind.is_empty()
    }

    /// Reads until [`Tail::caught_up`] or until `timeout` has passed.
    ///
    /// # Errors
    /// [`Error::Failed`] if the end was not reached in time.
    pub fn read_to_end(&mut self, timeout: Duration) -> Result<Vec<TailRecord>, Error> {
        let deadline = Instant::now() + timeout;
        let mut records = Vec::new();
        while !self.caught_up() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = format!("reading topic `{}` to its end within {} ms", self.topic, timeout.as_millis());
                return Err(Error::Failed { what, reason: self.consumer.context().reason() });
            }
            records.extend(self.next(left)?);
        }
        Ok(records)
    }

    /// Errors that waiting mends are written down by the context already; the others end the tail.
    fn weigh(&self, error: &KafkaError) -> Result<(), Error> {
        let what = || format!("reading topic `{}`", self.topic);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(Error::TopicMissing { topic: self.topic.clone(), mend: "it was there before: who removed it?" })
            }
            _ if crate::connection::denied(error).is_some() => Err(self.connection.failed(&what(), error)),
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(self.connection.failed(&what(), error)),
            _ => Ok(()),
        }
    }
}

fn start(config: &TailConfig, partition: i32) -> Offset {
    match config.at.get(&TopicPartition::new(&config.topic, partition)) {
        Some(position) => Offset::Offset(position.offset),
        None if config.from == Edge::Latest => Offset::End,
        None => Offset::Beginning,
    }
}

/// After asking for the ends of all partitions: those with a position of their own go back to it.
fn restore_positions(list: &mut TopicPartitionList, config: &TailConfig) -> Result<(), KafkaError> {
    for (key, position) in &config.at {
        if key.topic == config.topic && list.find_partition(&key.topic, key.partition).is_some() {
            list.set_partition_offset(&key.topic, key.partition, Offset::Offset(position.offset))?;
        }
    }
    Ok(())
}

fn owned(message: &BorrowedMessage<'_>) -> TailRecord {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
    });
    TailRecord {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
