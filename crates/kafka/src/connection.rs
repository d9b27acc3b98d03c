//! How to reach the brokers: the list, and librdkafka properties for consumers and producers.

use crate::{Error, Properties};
use std::fmt;

/// Brokers and properties. `Debug` hides secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// librdkafka properties for every client.
    pub properties: Properties,
    /// More for consumers; they win over `properties`.
    pub consumer: Properties,
    /// More for producers; they win over `properties`.
    pub producer: Properties,
}

impl Connection {
    /// Plain connections to `brokers` without further properties.
    pub fn to(brokers: &str) -> Connection {
        Connection { brokers: brokers.to_owned(), ..Connection::default() }
    }

    /// Looks at every property without connecting.
    ///
    /// # Errors
    /// [`Error::Property`] for one that librdkafka does not know (with a suggestion), a value that it does not take, or
    /// one that stopbank sets itself.
    #[allow(clippy::todo)]
    pub fn validate(&self) -> Result<(), Error> {
        todo!()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("properties", &crate::hide_secrets(&self.properties))
            .field("consumer", &crate::hide_secrets(&self.consumer))
            .field("producer", &crate::hide_secrets(&self.producer))
            .finish()
    }
}
