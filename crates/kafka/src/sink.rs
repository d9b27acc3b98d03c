//! The sink: one transaction per step, under a transactional id that is fixed for the domain.
//!
//! A sink never takes its own place again: after an error whose outcome is not known, or after being fenced, it is dead.
//! Only a newly elected owner connects a new one, because connecting fences whoever holds the id.

mod acks;
mod contract;
mod verdict;

pub use contract::{Committed, Delivery, SinkConfig, SinkError, Step};

use crate::connection::REACH;
use crate::heard::Heard;
use crate::polled::PolledProducer;
use crate::{Connection, Error, Outgoing, Position, Positions, TopicPartition};
use acks::Acks;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use verdict::Verdict;

/// The only writer of a domain. Its calls block for up to the configured timeout: keep it on a thread of its own.
pub struct Sink {
    producer: PolledProducer<Acks>,
    /// Knows the group's name to the broker; never subscribes.
    group: BaseConsumer<Heard>,
    metadata: ConsumerGroupMetadata,
    connection: Connection,
    delivery: Delivery,
    timeout: Duration,
    /// Counts steps, so that a late answer to an aborted step is not taken for one to the present step.
    step: u64,
    /// Why this sink may not be used any more.
    dead: Option<Verdict>,
}

impl Sink {
    /// Connects, fences every older sink with the same transactional id and settles what it left open.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::Denied`], [`Error::Failed`].
    pub fn connect(config: &SinkConfig) -> Result<Sink, Error> {
        let connection = &config.connection;
        let mut defaults = vec![
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("compression.type", "lz4".to_owned()),
            // A step is committed at once: nothing is gained by waiting for more of it.
            ("linger.ms", "0".to_owned()),
            ("message.timeout.ms", config.timeout_ms.to_string()),
            // For a few milliseconds after a commit the broker still writes its marks, and refuses the next transaction until
            // that is done: the default of 100 makes every step that follows closely, an order too, wait for so long. The pause
            // doubles each time, so a broker that is gone is not asked much more often.
            ("retry.backoff.ms", "2".to_owned()),
            // Would follow the former otherwise.
            ("topic.metadata.refresh.fast.interval.ms", "100".to_owned()),
        ];
        if config.delivery == Delivery::Transactional {
            defaults.push(("transactional.id", config.transactional_id.clone()));
            defaults.push(("transaction.timeout.ms", config.transaction_timeout_ms.max(config.timeout_ms).to_string()));
        }
        let acks = Acks::hearing(connection.producer_context()?);
        let heard = acks.heard.clone();
        let producer = PolledProducer::connect(connection, connection.producer_config(&defaults)?, acks)?;
        connection.reach(producer.client(), &heard, None, REACH, &|| {})?;
        let timeout = Duration::from_millis(u64::from(config.timeout_ms));
        if config.delivery == Delivery::Transactional {
            init(&producer, timeout).map_err(|error| match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::OperationTimedOut) => connection.unreachable(&heard, timeout, &error),
                _ => connection.failed(&format!("taking over transactional id `{}`", config.transactional_id), &error),
            })?;
        }
        let group: BaseConsumer<Heard> = connection
            .consumer_config(&[("group.id", config.group.clone()), ("enable.auto.commit", "false".to_owned())])?
            .create_with_context(connection.consumer_context()?)
            .map_err(|error| connection.refused(&error))?;
        let no_group = || Error::Property { name: "group".to_owned(), reason: "give the group a name".to_owned() };
        let metadata = group.group_metadata().ok_or_else(no_group)?;
        let (connection, delivery) = (connection.clone(), config.delivery);
        Ok(Sink { producer, group, metadata, connection, delivery, timeout, step: 0, dead: None })
    }

    /// Writes one step: begin, records, positions, commit. An empty step does nothing.
    ///
    /// # Errors
    /// See [`SinkError`]; after `Fenced`, `Indefinite` and `Fatal` every further call fails the same way.
    pub fn commit(&mut self, step: &Step) -> Result<Committed, SinkError> {
        if let Some(dead) = &self.dead {
            return Err(dead.clone().into_error());
        }
        if step.records.is_empty() && step.positions.is_empty() {
            return Ok(Committed::default());
        }
        self.step += 1;
        let deadline = Instant::now() + self.timeout;
        self.producer.context().begin(self.step, step.records.len());
        let result = match self.delivery {
            Delivery::Transactional => self.commit_transaction(step, deadline),
            Delivery::Plain => self.commit_plainly(step, deadline),
        };
        result.map_err(|verdict| {
            if verdict.is_deadly() {
                self.dead = Some(verdict.clone());
            }
            verdict.into_error()
        })
    }

    /// The positions committed under the group for these topics' partitions.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Denied`], [`Error::Failed`].
    pub fn positions(&self, topics: &[String]) -> Result<Positions, Error> {
        let mut asked = TopicPartitionList::new();
        for topic in topics {
            let poll = || drop(self.group.poll(Duration::ZERO));
            let heard = self.group.context();
            let metadata = self.connection.reach(self.group.client(), heard, Some(topic), self.timeout, &poll)?;
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                asked.add_partition(topic, partition.id());
            }
        }
        committed_positions(&self.group, asked, self.timeout)
            .map_err(|error| self.connection.failed("reading the committed positions", &error))
    }

    fn commit_transaction(&self, step: &Step, deadline: Instant) -> Result<Committed, Verdict> {
        let producer = &self.producer;
        producer.begin_transaction().map_err(|error| Verdict::of(&error, producer))?;
        let written = self.write(step, deadline).and_then(|()| {
            if !step.positions.is_empty() {
                let positions = list(&step.positions).map_err(|error| Verdict::of(&error, producer))?;
                let sent = producer.send_offsets_to_transaction(&positions, &self.metadata, left(deadline));
                sent.map_err(|error| Verdict::of(&error, producer))?;
            }
            self.acknowledged(step, deadline)
        });
        let committed = match written {
            Ok(committed) => committed,
            Err(verdict) => return Err(self.abort(verdict)),
        };
        self.settle(deadline);
        loop {
            match producer.commit_transaction(left(deadline)) {
                Ok(()) => return Ok(committed),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => {
                    return Err(match Verdict::of(&error, producer) {
                        verdict if verdict.is_deadly() => verdict,
                        verdict if verdict::is_uncommitted(&error) => self.abort(verdict),
                        _ => Verdict::Indefinite { reason: error.to_string() },
                    });
                }
            }
        }
    }

    fn commit_plainly(&self, step: &Step, deadline: Instant) -> Result<Committed, Verdict> {
        self.write(step, deadline)?;
        let committed = self.acknowledged(step, deadline)?;
        if !step.positions.is_empty() {
            let indefinite = |error: KafkaError| Verdict::Indefinite { reason: error.to_string() };
            let positions = list(&step.positions).map_err(indefinite)?;
            self.group.commit(&positions, CommitMode::Sync).map_err(indefinite)?;
        }
        Ok(committed)
    }

    /// Hands every record of the step to the producer.
    fn write(&self, step: &Step, deadline: Instant) -> Result<(), Verdict> {
        for (index, record) in step.records.iter().enumerate() {
            loop {
                let key = Box::new((self.step, index));
                match self.producer.send(base_record(record, key)) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                        if Instant::now() < deadline =>
                    {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err((error, _)) => return Err(Verdict::of_record(&error, index, record, &self.producer)),
                }
            }
        }
        Ok(())
    }

    /// Waits for the answer to every record.
    fn acknowledged(&self, step: &Step, deadline: Instant) -> Result<Committed, Verdict> {
        match self.producer.context().wait(deadline) {
            Some(answers) => {
                let mut placed = Vec::with_capacity(answers.len());
                for (index, answer) in answers.into_iter().enumerate() {
                    let refused = |error| Verdict::of_record(&error, index, &step.records[index], &self.producer);
                    placed.push(answer.map_err(refused)?);
                }
                Ok(Committed { placed })
            }
            None => {
                let reason = format!("no answer in time ({})", self.producer.context().heard.reason());
                Err(match self.delivery {
                    Delivery::Transactional => Verdict::Retry { reason },
                    Delivery::Plain => Verdict::Indefinite { reason },
                })
            }
        }
    }

    /// The last answer is counted as out only after its callback has returned. A commit that begins before that sleeps for
    /// 100 ms (rdkafka polls for an event that has come already), so wait for this moment here.
    fn settle(&self, deadline: Instant) {
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// Ends the open transaction. If that fails too, the sink is dead; nothing of the step will ever be seen then, but
    /// only a new owner may settle it.
    fn abort(&self, verdict: Verdict) -> Verdict {
        if verdict.is_deadly() {
            return verdict;
        }
        match self.producer.abort_transaction(self.timeout) {
            Ok(()) => verdict,
            Err(error) => match Verdict::of(&error, &self.producer) {
                deadly if deadly.is_deadly() => deadly,
                _ => Verdict::Indefinite { reason: format!("{verdict}; then the abort failed: {error}") },
            },
        }
    }
}

/// A record as librdkafka takes it.
pub(crate) fn base_record<D: rdkafka::util::IntoOpaque>(record: &Outgoing, opaque: D) -> BaseRecord<'_, [u8], [u8], D> {
    let mut out = BaseRecord::with_opaque_to(&record.topic, opaque);
    out.key = record.key.as_deref();
    out.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let add = |headers: OwnedHeaders, (key, value): &(String, Vec<u8>)| {
            headers.insert(Header { key, value: Some(value.as_slice()) })
        };
        out.headers = Some(record.headers.iter().fold(headers, add));
    }
    out
}

/// What is committed in the consumer's group for `asked`.
pub(crate) fn committed_positions<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    asked: TopicPartitionList,
    timeout: Duration,
) -> Result<Positions, KafkaError> {
    if asked.count() == 0 {
        return Ok(Positions::new());
    }
    let answered = consumer.committed_offsets(asked, timeout)?;
    let mut positions = Positions::new();
    for element in answered.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            let key = TopicPartition::new(element.topic(), element.partition());
            positions.insert(key, Position { offset, note: element.metadata().to_owned() });
        }
    }
    Ok(positions)
}

/// Retries while the client says that it may: the broker still finishes what the former owner left.
fn init(producer: &PolledProducer<Acks>, timeout: Duration) -> Result<(), KafkaError> {
    let deadline = Instant::now() + timeout;
    loop {
        match producer.init_transactions(left(deadline)) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
            other => return other,
        }
    }
}

/// librdkafka takes a timeout of zero for "do not wait at all": leave it a moment.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(10))
}

fn list(positions: &Positions) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (key, position) in positions {
        let mut element = list.add_partition(&key.topic, key.partition);
        element.set_offset(Offset::Offset(position.offset))?;
        element.set_metadata(&position.note);
    }
    Ok(list)
}
