//! Does the configured Kafka answer, let us in, and have the topics? Changes nothing.

use crate::connection::denied;
use crate::polled::PolledProducer;
use crate::topics::{Admin, inspect};
use crate::{Connection, Error, TopicState, Topics};
use rdkafka::producer::Producer;
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
pub fn check(connection: &Connection, topics: &Topics, timeout: Duration) -> Result<Checked, Error> {
    let admin = Admin::connect(connection, timeout)?;
    let heard = connection.producer_context()?;
    let producer = PolledProducer::connect(connection, connection.producer_config(&[])?, heard.clone())?;
    let metadata = connection.reach(producer.client(), &heard, None, timeout, &|| {})?;
    for topic in metadata.topics() {
        let error = topic.error().map(|code| rdkafka::error::KafkaError::MetadataFetch(code.into()));
        if let Some(error) = error.filter(|error| denied(error).is_some()) {
            return Err(connection.failed(&format!("looking at topic `{}`", topic.name()), &error));
        }
    }
    let (cluster, brokers) = admin.cluster()?;
    Ok(Checked { cluster, brokers, topics: inspect(&admin, topics)? })
}
