//! A real Apache Kafka for tests, started through `scripts/kafka` once per test process.
#![allow(clippy::todo)]

use crate::{Connection, Topics};

/// A running real broker. It ends with the test process.
#[derive(Clone, Debug)]
pub struct Broker {
    /// A plain connection to it.
    pub connection: Connection,
}

/// The shared broker, or `None` with a line that says what is missing. Under `CI=true` missing is a panic.
pub fn real_broker() -> Option<&'static Broker> {
    todo!()
}

impl Broker {
    /// A name that no other test and no other run uses: for domains, groups, transactional ids.
    pub fn unique(&self, _stem: &str) -> String {
        todo!()
    }

    /// Topic names under a prefix that nobody else uses; nothing is made yet.
    pub fn topics(&self, _stem: &str) -> Topics {
        todo!()
    }

    /// Makes a topic with so many partitions.
    ///
    /// # Panics
    /// If the broker refuses: this is for tests.
    pub fn create_topic(&self, _name: &str, _partitions: i32) {
        todo!()
    }
}
