//! The admin client behind plain calls: it runs on a thread of its own, so that it may be called from anywhere.

use super::TopicSpec;
use crate::connection::denied;
use crate::heard::Heard;
use crate::{Connection, Error};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A connection for looking at topics and making them.
pub(crate) struct Admin<'a> {
    connection: &'a Connection,
    /// Sees whether a broker answers, and why not: the admin client itself does not say.
    probe: BaseConsumer<Heard>,
    admin: AdminClient<Heard>,
    timeout: Duration,
}

impl<'a> Admin<'a> {
    pub(crate) fn connect(connection: &'a Connection, timeout: Duration) -> Result<Admin<'a>, Error> {
        let refused = |error: KafkaError| connection.refused(&error);
        let probe: BaseConsumer<Heard> =
            connection.consumer_config(&[])?.create_with_context(connection.consumer_context()?).map_err(refused)?;
        let poll = || drop(probe.poll(Duration::ZERO));
        connection.reach(probe.client(), probe.context(), None, timeout, &poll)?;
        let config = connection.producer_config(&[])?;
        let admin = config.create_with_context(connection.producer_context()?).map_err(refused)?;
        Ok(Admin { connection, probe, admin, timeout })
    }

    /// The cluster's id and the brokers' addresses.
    pub(crate) fn cluster(&self) -> Result<(Option<String>, Vec<String>), Error> {
        let metadata = self.metadata()?;
        let brokers = metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect();
        Ok((self.probe.client().fetch_cluster_id(self.timeout), brokers))
    }

    /// How many partitions each topic has.
    pub(crate) fn partitions(&self) -> Result<BTreeMap<String, usize>, Error> {
        let metadata = self.metadata()?;
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    }

    /// The settings of topics, by topic and name.
    pub(crate) fn settings(&self, topics: &[&str]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let specifiers: Vec<ResourceSpecifier<'_>> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let options = self.options();
        let failed = |error: KafkaError| self.connection.failed("reading the topics' settings", &error);
        let answers = run(self.admin.describe_configs(&specifiers, &options)).map_err(failed)?;
        let mut found = BTreeMap::new();
        for answer in answers {
            let resource = answer.map_err(|code| failed(KafkaError::AdminOp(code)))?;
            let rdkafka::admin::OwnedResourceSpecifier::Topic(topic) = resource.specifier else { continue };
            let settings = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            found.insert(topic, settings.collect());
        }
        Ok(found)
    }

    /// Makes those that are not there; says which.
    pub(crate) fn create(&self, specs: &[TopicSpec], replication: Option<i32>) -> Result<BTreeSet<String>, Error> {
        let there = self.partitions()?;
        let missing: Vec<&TopicSpec> = specs.iter().filter(|spec| !there.contains_key(&spec.name)).collect();
        let configurations: Vec<_> = missing.iter().map(|spec| spec.configuration()).collect();
        let new = missing.iter().zip(&configurations).map(|(spec, configuration)| {
            // -1 is the broker's own default, for brokers since 2.4.
            let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(replication.unwrap_or(-1)));
            configuration.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        if new.is_empty() {
            return Ok(BTreeSet::new());
        }
        let options = self.options();
        let answers = run(self.admin.create_topics(&new, &options))
            .map_err(|error| self.connection.failed("making topics", &error))?;
        let mut created = BTreeSet::new();
        for answer in answers {
            match answer {
                Ok(topic) => drop(created.insert(topic)),
                // Another process was faster: just as well.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(self.not_made(&topic, code)),
            }
        }
        self.wait_for(&created)?;
        Ok(created)
    }

    /// Removes those that are there.
    pub(crate) fn remove(&self, topics: &[String]) -> Result<(), Error> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let options = self.options();
        let failed = |error: &KafkaError| self.connection.failed("removing topics", error);
        for answer in run(self.admin.delete_topics(&names, &options)).map_err(|error| failed(&error))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {}
                Err((_, code)) => return Err(failed(&KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    /// A topic that is made is known to every broker only a moment later.
    fn wait_for(&self, created: &BTreeSet<String>) -> Result<(), Error> {
        let deadline = std::time::Instant::now() + self.timeout;
        loop {
            let there = self.partitions()?;
            if created.iter().all(|topic| there.get(topic).is_some_and(|partitions| *partitions > 0)) {
                return Ok(());
            }
            if std::time::Instant::now() >= deadline {
                let reason = "the brokers do not show them".to_owned();
                return Err(Error::Failed { what: "waiting for the new topics".to_owned(), reason });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn not_made(&self, topic: &str, code: RDKafkaErrorCode) -> Error {
        let what = format!("making the topic `{topic}`");
        let error = KafkaError::AdminOp(code);
        if denied(&error).is_some() {
            return self.connection.failed(&what, &error);
        }
        let hint = match code {
            RDKafkaErrorCode::InvalidReplicationFactor => "; there are not so many brokers: lower the replication",
            RDKafkaErrorCode::PolicyViolation => "; make it by hand as the cluster's policy wants it",
            _ => "",
        };
        Error::Failed { what, reason: format!("{error}{hint}") }
    }

    fn metadata(&self) -> Result<rdkafka::metadata::Metadata, Error> {
        let poll = || drop(self.probe.poll(Duration::ZERO));
        self.connection.reach(self.probe.client(), self.probe.context(), None, self.timeout, &poll)
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout))
    }
}

/// Waits for an admin operation. On a thread of its own: waiting inside of an async runtime's thread would panic.
fn run<T: Send>(operation: impl Future<Output = Result<T, KafkaError>> + Send) -> Result<T, KafkaError> {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| KafkaError::AdminOpCreation(error.to_string()))?.block_on(operation)
    };
    let joined = std::thread::scope(|scope| scope.spawn(wait).join());
    joined.unwrap_or_else(|_| Err(KafkaError::AdminOpCreation("the waiting thread panicked".to_owned())))
}
