//! Does the configured Kafka answer, let us in, and have the topics? Changes nothing.
#![allow(clippy::todo)]

use crate::{Connection, Error, TopicState, Topics};
use std::time::Duration;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The cluster's id, if it says one.
    pub cluster: Option<String>,
    /// The brokers, `host:port`.
    pub brokers: Vec<String>,
    /// Every topic, as found; [`TopicState::Missing`] ones of ours will be made by `run`.
    pub topics: Vec<TopicState>,
}

/// Connects as consumer and as producer, and looks at every topic.
///
/// # Errors
/// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::Denied`], with what to mend.
pub fn check(_connection: &Connection, _topics: &Topics, _timeout: Duration) -> Result<Checked, Error> {
    todo!()
}
