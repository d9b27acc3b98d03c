//! The source: one consumer on its caller's thread that assigns itself every partition of its topics.
//!
//! It joins no group, commits nothing, and never waits for whoever takes the records: what is fetched ahead is bounded by
//! bytes, and a pause leaves the rest at the broker. A position that is gone is told as a gap, never skipped in silence.

mod config;
mod event;
mod partitions;
mod start;

pub use config::{Crc, SourceConfig, Start};
pub use event::{PartitionState, Polled, SourceEvent};

use crate::connection::{REACH, denied};
use crate::heard::Heard;
use crate::{Error, RecordRef, TopicPartition};
use partitions::{Partitions, Stall};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A consumer of all partitions of its topics. It belongs to one thread, which must go on polling also while everything
/// is paused, and on which it should be dropped.
pub struct Source {
    config: SourceConfig,
    consumer: BaseConsumer<Heard>,
    partitions: Partitions,
    paused: bool,
    refresh_at: Instant,
    /// Partitions whose position was refused by the broker are waiting to be looked at.
    lost: bool,
    unreachable: bool,
    /// Topics that have been told as missing.
    missing: Vec<String>,
    /// Events that happened outside of [`Source::poll`].
    events: Vec<SourceEvent>,
}

impl Source {
    /// Connects and assigns itself every partition.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::Denied`]. A missing topic is no error:
    /// see [`SourceEvent::TopicMissing`].
    pub fn connect(config: &SourceConfig) -> Result<Source, Error> {
        let consumer = config::consumer(config)?;
        let mut source = Source {
            config: config.clone(),
            consumer,
            partitions: Partitions::new(&config.topics),
            paused: false,
            refresh_at: Instant::now(),
            lost: false,
            unreachable: false,
            missing: Vec::new(),
            events: Vec::new(),
        };
        let found = source.find(REACH)?;
        let (starts, gaps) = start::first(&source.config, &source.consumer, found)?;
        source.add(starts, gaps)?;
        Ok(source)
    }

    /// Hands up to `records_max` records to `each`, waits at most `timeout` for the first one. `each` must not block.
    ///
    /// # Errors
    /// Only what no reconnecting mends: the source is to be dropped.
    pub fn poll(
        &mut self,
        timeout: Duration,
        records_max: usize,
        each: &mut dyn FnMut(RecordRef<'_>),
    ) -> Result<Polled, Error> {
        self.poll_while(timeout, records_max, &mut |record| {
            each(record);
            ControlFlow::Continue(())
        })
    }

    /// The same until `each` breaks off: the record after that is the next poll's first.
    ///
    /// # Errors
    /// As [`Source::poll`].
    pub fn poll_while(
        &mut self,
        timeout: Duration,
        records_max: usize,
        each: &mut dyn FnMut(RecordRef<'_>) -> ControlFlow<()>,
    ) -> Result<Polled, Error> {
        let mut polled = Polled::default();
        let mut wait = timeout;
        while polled.records < records_max {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
                    // What an older assignment had fetched may still arrive: it is not handed over twice.
                    let Some(topic_index) = self.partitions.advance(topic, partition, offset) else { continue };
                    let payload = message.payload().unwrap_or_default();
                    polled.records += 1;
                    polled.bytes += payload.len();
                    let timestamp_ms = message.timestamp().to_millis();
                    let key = message.key();
                    let record = RecordRef { topic, topic_index, partition, offset, timestamp_ms, key, payload };
                    if each(record).is_break() {
                        break;
                    }
                    wait = Duration::ZERO;
                }
                Some(Err(error)) => {
                    self.weigh(&error)?;
                    wait = Duration::ZERO;
                }
            }
        }
        self.attend(polled.records > 0)?;
        polled.events = std::mem::take(&mut self.events);
        Ok(polled)
    }

    /// Hands nothing over until [`Source::resume`]. What was fetched ahead is fetched again later.
    pub fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.hold();
        }
    }

    /// Goes on after [`Source::pause`].
    pub fn resume(&mut self) {
        if self.paused {
            self.paused = false;
            self.hold();
        }
    }

    /// Is the source paused?
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// What is known of each partition, ordered by topic and number.
    pub fn partitions(&self) -> Vec<PartitionState> {
        self.partitions.states(self.paused)
    }

    /// The sum of the known lags, records.
    pub fn lag(&self) -> u64 {
        self.partitions.states(self.paused).iter().filter_map(|state| state.lag).sum()
    }

    /// Has every partition been read to its end (as of the last look)? `false` while anything is unknown.
    pub fn at_end(&self) -> bool {
        self.missing.is_empty() && self.partitions.at_end()
    }

    /// The topic's name for [`RecordRef::topic_index`].
    pub fn topic(&self, index: u16) -> &str {
        self.config.topics.get(usize::from(index)).map_or("", String::as_str)
    }

    /// Tells the client what is paused. It forgets that with every assignment.
    fn hold(&mut self) {
        let list = self.partitions.list();
        let held = if self.paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        // Fails only for partitions that are not assigned, and an assignment holds again.
        if let Err(error) = held {
            tracing::debug!(%error, "pausing or resuming");
        }
        self.partitions.excuse();
    }

    /// What an error of the client means. Most are the client's to mend, and the context has written them down.
    fn weigh(&mut self, error: &KafkaError) -> Result<(), Error> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => self.lost = true,
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => self.refresh_at = Instant::now(),
            _ if denied(error).is_some() || matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                let what = format!("reading {}", self.config.topics.join(", "));
                return Err(self.config.connection.failed(&what, error));
            }
            _ => {}
        }
        Ok(())
    }

    /// Everything beside records: statistics, reachability, lost positions, stalled and new partitions.
    fn attend(&mut self, records: bool) -> Result<(), Error> {
        let (seen, all_down) = {
            let mut said = self.consumer.context().said();
            said.all_down &= !records;
            (said.partitions.take(), said.all_down)
        };
        self.tell_reachable(all_down);
        let mut stalled = None;
        if let Some(seen) = seen {
            let patience = Duration::from_millis(u64::from(self.config.stall_ms));
            let watched = !self.paused && !all_down;
            stalled = self.partitions.learn(&seen, self.config.isolation, watched.then_some(patience));
        }
        if all_down {
            return Ok(());
        }
        if let Some(stall) = stalled {
            self.reconnect(stall)?;
        }
        if self.lost {
            self.find_positions()?;
        }
        if Instant::now() >= self.refresh_at {
            self.refresh()?;
        }
        Ok(())
    }

    fn tell_reachable(&mut self, all_down: bool) {
        if all_down && !self.unreachable {
            self.events.push(SourceEvent::Unreachable { reason: self.consumer.context().reason() });
        } else if !all_down && self.unreachable {
            self.events.push(SourceEvent::Reachable);
            self.partitions.excuse();
        }
        self.unreachable = all_down;
    }

    /// A client that gives nothing although there is something is thrown away: a new one goes on at the same positions.
    fn reconnect(&mut self, stall: Stall) -> Result<(), Error> {
        let Stall { partition, silent_ms } = stall;
        tracing::warn!(%partition, silent_ms, "no records although there are some: connecting again");
        self.consumer = config::consumer(&self.config)?;
        self.assign()?;
        self.events.push(SourceEvent::Reconnected { partition, silent_ms });
        Ok(())
    }

    /// Positions that the broker refused: looks which are outside of the log, and goes on at its oldest record.
    fn find_positions(&mut self) -> Result<(), Error> {
        let mut gaps = Vec::new();
        for (partition, next) in self.partitions.next_offsets() {
            let ends = self.consumer.fetch_watermarks(&partition.topic, partition.partition, Duration::from_secs(1));
            // No answer: it stays lost, and the next poll looks again.
            let Ok((low, high)) = ends else { return Ok(()) };
            if next < low || next > high {
                self.partitions.set_next(&partition, low);
                gaps.push(SourceEvent::Gap { partition, from: next, to: low });
            }
        }
        self.lost = false;
        self.events.append(&mut gaps);
        self.assign()
    }

    /// Looks for new partitions; those start at their oldest record, so nothing of them is lost.
    fn refresh(&mut self) -> Result<(), Error> {
        let found = match self.find(Duration::from_secs(1)) {
            Ok(found) => found,
            Err(denied @ Error::Denied { .. }) => return Err(denied),
            // A broker that does not answer now is asked again at the next refresh.
            Err(_) => return Ok(()),
        };
        let new: Vec<TopicPartition> = found.into_iter().filter(|found| !self.partitions.has(found)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let starts = start::oldest(&self.config, &self.consumer, new)?;
        self.add(starts, Vec::new())
    }

    /// All partitions that the topics have now; missing topics are told once.
    fn find(&mut self, wait: Duration) -> Result<Vec<TopicPartition>, Error> {
        self.refresh_at = Instant::now() + Duration::from_millis(u64::from(self.config.refresh_ms));
        let mut found = Vec::new();
        for topic in &self.config.topics {
            let connection = &self.config.connection;
            let consumer = &self.consumer;
            // While nothing is assigned, polling hands out no record that could get lost here.
            let assigned = !self.partitions.is_empty();
            let poll = || {
                if !assigned {
                    drop(consumer.poll(Duration::ZERO))
                }
            };
            let metadata = connection.reach(consumer.client(), consumer.context(), Some(topic), wait, &poll)?;
            let of_topic = metadata.topics().iter().filter(|found| found.name() == topic);
            let before = found.len();
            found.extend(of_topic.flat_map(|of| of.partitions()).map(|part| TopicPartition::new(topic, part.id())));
            let is_missing = found.len() == before;
            if is_missing && !self.missing.contains(topic) {
                self.missing.push(topic.clone());
                self.events.push(SourceEvent::TopicMissing { topic: topic.clone() });
            } else if !is_missing {
                self.missing.retain(|missing| missing != topic);
            }
        }
        Ok(found)
    }

    fn add(&mut self, starts: Vec<start::From>, gaps: Vec<SourceEvent>) -> Result<(), Error> {
        for start::From { partition, offset, note } in starts {
            let topic_index = self.partitions.add(&partition, offset);
            self.events.push(SourceEvent::Assigned { partition, topic_index, offset, note });
        }
        self.events.extend(gaps);
        self.assign()
    }

    /// Assigns every known partition at its next offset; what was fetched ahead is fetched again.
    fn assign(&mut self) -> Result<(), Error> {
        let assigned = self.partitions.list_at_next().and_then(|list| self.consumer.assign(&list));
        assigned.map_err(|error| self.config.connection.failed("assigning partitions", &error))?;
        self.hold();
        Ok(())
    }
}
