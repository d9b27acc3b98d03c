//! The embedded broker: librdkafka's in-process cluster on a thread of its own.
//!
//! It speaks Kafka's protocol on loopback, for the demo and for tests of plumbing. It is no Kafka: see
//! [`Embedded::LIMITS`].
#![allow(clippy::todo)]

use crate::{Connection, Error, Topics};

/// A running embedded broker; it ends when this is dropped.
pub struct Embedded {
    _private: (),
}

impl Embedded {
    /// What it is not, for the output of whatever starts it.
    pub const LIMITS: &str = "embedded broker (librdkafka's in-process cluster, Kafka protocol on loopback): keeps 5 MiB \
                              or 100,000 batches per partition, has no real transactions, never compacts, forgets all at \
                              the end";

    /// Starts it with one broker.
    ///
    /// # Errors
    /// [`Error::Failed`] if no port or thread is to be had.
    pub fn start() -> Result<Embedded, Error> {
        todo!()
    }

    /// Where it listens, `host:port`.
    pub fn bootstrap(&self) -> &str {
        todo!()
    }

    /// A connection to it.
    pub fn connection(&self) -> Connection {
        todo!()
    }

    /// Makes a topic. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`Error::Failed`] if the name is not allowed.
    pub fn create_topic(&self, _name: &str, _partitions: i32) -> Result<(), Error> {
        todo!()
    }

    /// Makes all of stopbank's topics, and the telemetry topics with `telemetry_partitions` each.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn create_topics(&self, _topics: &Topics, _telemetry_partitions: i32) -> Result<(), Error> {
        todo!()
    }
}
