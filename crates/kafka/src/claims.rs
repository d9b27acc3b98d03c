//! Who owns a domain: a consumer group on the claims topic elects one, and the offset of its claim record is the epoch.
#![allow(clippy::todo)]

use crate::{Connection, Error, Sink, SinkError};
use std::time::Duration;

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
    _private: (),
}

impl Claims {
    /// Joins the election.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::TopicMissing`], [`Error::Denied`].
    pub fn join(_config: &ClaimsConfig) -> Result<Claims, Error> {
        todo!()
    }

    /// Waits up to `timeout` for something to happen.
    ///
    /// # Errors
    /// Only what rejoining does not mend.
    pub fn poll(&mut self, _timeout: Duration) -> Result<Option<ClaimEvent>, Error> {
        todo!()
    }

    /// Is this process elected (as far as it knows)?
    pub fn is_elected(&self) -> bool {
        todo!()
    }

    /// Writes the claim record through `sink`, in a transaction of its own, so that the order of epochs is the order of
    /// fencing.
    ///
    /// # Errors
    /// As [`Sink::commit`]; [`SinkError::Fenced`] too when the election was lost meanwhile.
    pub fn claim(&mut self, _sink: &mut Sink) -> Result<Claim, SinkError> {
        todo!()
    }

    /// Leaves the election, so that a standby takes over at once.
    pub fn leave(self) {
        todo!()
    }

    /// A claim without an election, for one process on a broker without groups or transactions (the embedded one).
    ///
    /// # Errors
    /// As [`Sink::commit`].
    pub fn solo(_config: &ClaimsConfig, _sink: &mut Sink) -> Result<Claim, SinkError> {
        todo!()
    }
}
