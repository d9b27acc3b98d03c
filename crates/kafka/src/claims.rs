//! Who owns a domain: a consumer group on the claims topic elects one, and the offset of its claim record is the epoch.
//!
//! The group only says who should act; what makes it safe is the order: the elected one connects its sink (which fences
//! the former owner), then writes its claim through that sink. So a later sink always has a higher epoch.

mod election;

use crate::connection::REACH;
use crate::dead_letter::now_ms;
use crate::polled::whole_ms;
use crate::{Connection, Error, Outgoing, Sink, SinkError, Step};
use election::Election;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::{Duration, Instant};

/// How a process stands for election.
#[derive(Clone, Debug)]
pub struct ClaimsConfig {
    /// The brokers.
    pub connection: Connection,
    /// The claims topic; it must have one partition.
    pub topic: String,
    /// The decision domain.
    pub domain: String,
    /// The prefix of the election's group: `<group>.<domain>.claims`.
    pub group: String,
    /// Who stands: host and process, as people should read it in the claim record.
    pub owner: String,
    /// A fixed member name (`group.instance.id`): a quick restart keeps the ownership, and a clean leave no longer hands
    /// over at once.
    pub instance: Option<String>,
    /// An owner that is not heard of for so long loses the domain, milliseconds (brokers take 6,000 and more).
    pub session_timeout_ms: u32,
    /// An owner that does not call [`Claims::poll`] for so long loses the domain, milliseconds.
    pub poll_timeout_ms: u32,
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        ClaimsConfig {
            connection: Connection::default(),
            topic: "stopbank.claims".to_owned(),
            domain: "default".to_owned(),
            group: "stopbank".to_owned(),
            owner: "stopbank".to_owned(),
            instance: None,
            session_timeout_ms: 6_000,
            poll_timeout_ms: 30_000,
        }
    }
}

/// A right to act: every later claim of the domain has a higher epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The broker's offset of the claim record.
    pub epoch: u64,
    /// Who claimed.
    pub owner: String,
}

/// What happens in the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimEvent {
    /// This process is to own the domain: connect a [`Sink`] (that fences the old owner), then [`Claims::claim`].
    Elected,
    /// Another one owns it, this process stands by. Told once after joining and after each loss.
    Standby,
    /// The ownership ends. Stop everything that could act; the next call of [`Claims::poll`] gives it away.
    Lost {
        /// Why.
        reason: String,
    },
}

/// A member of the election. It belongs to one thread, which must keep polling.
pub struct Claims {
    consumer: BaseConsumer<Election>,
    config: ClaimsConfig,
}

impl Claims {
    /// Joins the election.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::TopicMissing`], [`Error::Denied`], and
    /// [`Error::Failed`] if the claims topic has more than one partition.
    pub fn join(config: &ClaimsConfig) -> Result<Claims, Error> {
        let (connection, topic) = (&config.connection, config.topic.as_str());
        let mut defaults = vec![
            ("group.id", format!("{}.{}.claims", config.group, config.domain)),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("auto.offset.reset", "latest".to_owned()),
            // Sticky, so that a process that joins never takes the domain away from the one that has it.
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("session.timeout.ms", config.session_timeout_ms.to_string()),
            ("heartbeat.interval.ms", (config.session_timeout_ms / 6).max(1).to_string()),
            ("max.poll.interval.ms", config.poll_timeout_ms.max(config.session_timeout_ms).to_string()),
        ];
        defaults.extend(config.instance.iter().map(|instance| ("group.instance.id", instance.clone())));
        let consumer: BaseConsumer<Election> = connection
            .consumer_config(&defaults)?
            .create_with_context(Election::hearing(connection.consumer_context()?))
            .map_err(|error| connection.refused(&error))?;
        let poll = || drop(consumer.poll(Duration::ZERO));
        let metadata = connection.reach(consumer.client(), &consumer.context().heard, Some(topic), REACH, &poll)?;
        match metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len()) {
            1 => {}
            0 => {
                let mend =
                    "`stopbank run` makes it if it may; else make it with one partition and cleanup.policy=compact";
                return Err(Error::TopicMissing { topic: topic.to_owned(), mend });
            }
            many => {
                let reason =
                    format!("it has {many} partitions and must have 1, or several processes would own a domain");
                return Err(Error::Failed { what: format!("joining the election on topic `{topic}`"), reason });
            }
        }
        consumer.subscribe(&[topic]).map_err(|error| connection.failed("joining the election", &error))?;
        Ok(Claims { consumer, config: config.clone() })
    }

    /// Waits up to `timeout` for something to happen. After [`ClaimEvent::Lost`] the next call gives the ownership away.
    ///
    /// # Errors
    /// Only what rejoining does not mend.
    pub fn poll(&mut self, timeout: Duration) -> Result<Option<ClaimEvent>, Error> {
        let election = self.consumer.context();
        if let Some(event) = election.take_event() {
            return Ok(Some(event));
        }
        election.release(&self.consumer);
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.serve(whole_ms(left).min(Duration::from_millis(100)))?;
            let event = self.consumer.context().take_event();
            if event.is_some() || left.is_zero() {
                return Ok(event);
            }
        }
    }

    /// Is this process elected (as far as it knows)?
    pub fn is_elected(&self) -> bool {
        self.consumer.context().is_elected()
    }

    /// Writes the claim record through `sink`, in a transaction of its own, so that the order of epochs is the order of
    /// fencing.
    ///
    /// # Errors
    /// As [`Sink::commit`]; [`SinkError::Fenced`] too when the election was lost meanwhile.
    pub fn claim(&mut self, sink: &mut Sink) -> Result<Claim, SinkError> {
        let lost = || SinkError::Fenced { reason: "the election was lost while claiming".to_owned() };
        // A process that was stopped and has just woken up must hear of its loss before it claims.
        for _ in 0..2 {
            if self.serve(Duration::ZERO).is_err() || !self.is_elected() {
                return Err(lost());
            }
        }
        let claim = Claims::solo(&self.config, sink)?;
        if self.serve(Duration::ZERO).is_err() || !self.is_elected() {
            return Err(lost());
        }
        Ok(claim)
    }

    /// Leaves the election, so that a standby takes over at once. Dropping does the same.
    pub fn leave(self) {}

    /// A claim without an election, for one process on a broker without groups or transactions (the embedded one).
    ///
    /// # Errors
    /// As [`Sink::commit`].
    pub fn solo(config: &ClaimsConfig, sink: &mut Sink) -> Result<Claim, SinkError> {
        let claim = control::Claim {
            domain: config.domain.clone(),
            owner: config.owner.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: now_ms(),
        };
        let record = Outgoing::of(&config.topic, control::claim_record(&claim));
        let committed = sink.commit(&Step { records: vec![record], ..Step::default() })?;
        let offset = committed.placed.first().map_or(-1, |placed| placed.offset);
        match u64::try_from(offset) {
            Ok(epoch) => Ok(Claim { epoch, owner: config.owner.clone() }),
            Err(_) => Err(SinkError::Fatal { reason: "the broker did not say the claim record's offset".to_owned() }),
        }
    }

    /// Lets the client do its work; the election's context writes events down.
    fn serve(&self, timeout: Duration) -> Result<(), Error> {
        match self.consumer.poll(timeout) {
            Some(Err(error)) => self.consumer.context().weigh(&self.config.connection, &error),
            // The claim records themselves say nothing that the election does not.
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        // Closing waits for the partition to be given away: do that now, and at once if the group asks again.
        self.consumer.context().close(&self.consumer);
    }
}
