//! The embedded broker: librdkafka's in-process cluster on a thread of its own.
//!
//! It speaks Kafka's protocol on loopback, for the demo and for tests of plumbing. It is no Kafka: see
//! [`Embedded::LIMITS`]. Nothing about transactions, retention or compaction may be concluded from it.

use crate::{Connection, Error, Topics};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running embedded broker; it ends when this is dropped.
pub struct Embedded {
    bootstrap: String,
    /// `None` while dropping: the thread ends when there is nobody left to ask it.
    asks: Option<Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked to do with the cluster, which must stay on the thread that made it.
enum Ask {
    Create { topic: String, partitions: i32, done: Sender<Result<(), KafkaError>> },
    Down { done: Sender<Result<(), KafkaError>> },
    Up { done: Sender<Result<(), KafkaError>> },
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
        let failed = |reason: String| Error::Failed { what: "starting the embedded broker".to_owned(), reason };
        let (asks, asked) = channel();
        let (ready, started) = sync_channel(1);
        let serve = move || match MockCluster::new(1) {
            Ok(cluster) => {
                let told = ready.send(Ok(cluster.bootstrap_servers()));
                if told.is_ok() {
                    serve(&cluster, &asked);
                }
            }
            // Nobody listens only if the starter is gone: then there is nothing to tell.
            Err(error) => drop(ready.send(Err(error))),
        };
        let named = std::thread::Builder::new().name("embedded-kafka".to_owned());
        let thread = named.spawn(serve).map_err(|error| failed(error.to_string()))?;
        match started.recv_timeout(Duration::from_secs(10)) {
            Ok(Ok(bootstrap)) => Ok(Embedded { bootstrap, asks: Some(asks), thread: Some(thread) }),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("its thread did not answer".to_owned())),
        }
    }

    /// Where it listens, `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A connection to it.
    pub fn connection(&self) -> Connection {
        Connection::to(&self.bootstrap)
    }

    /// Makes a topic. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`Error::Failed`] if the name is not allowed.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        let topic = name.to_owned();
        self.ask(&format!("making the topic `{name}`"), |done| Ask::Create { topic, partitions, done })
    }

    /// Makes all of stopbank's topics, and the telemetry topics with `telemetry_partitions` each.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn create_topics(&self, topics: &Topics, telemetry_partitions: i32) -> Result<(), Error> {
        for spec in topics.specs() {
            self.create_topic(&spec.name, spec.partitions)?;
        }
        topics.traces.iter().try_for_each(|topic| self.create_topic(topic, telemetry_partitions))
    }

    /// Lets the broker vanish, until [`Embedded::up`]; what it holds stays.
    ///
    /// # Errors
    /// [`Error::Failed`] if the cluster does not do it.
    pub fn down(&self) -> Result<(), Error> {
        self.ask("taking the embedded broker down", |done| Ask::Down { done })
    }

    /// Brings the broker back.
    ///
    /// # Errors
    /// [`Error::Failed`] if the cluster does not do it.
    pub fn up(&self) -> Result<(), Error> {
        self.ask("bringing the embedded broker up", |done| Ask::Up { done })
    }

    fn ask(&self, what: &str, ask: impl FnOnce(Sender<Result<(), KafkaError>>) -> Ask) -> Result<(), Error> {
        let (done, answer) = channel();
        let gone = || Error::Failed { what: what.to_owned(), reason: "its thread has ended".to_owned() };
        self.asks.as_ref().ok_or_else(gone)?.send(ask(done)).map_err(|_| gone())?;
        let answered = answer.recv().map_err(|_| gone())?;
        answered.map_err(|error| Error::Failed { what: what.to_owned(), reason: error.to_string() })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there; nothing is left to clean up here.
            drop(thread.join());
        }
    }
}

/// The only broker of the cluster.
const BROKER: i32 = 1;

fn serve(cluster: &MockCluster<'static, rdkafka::producer::DefaultProducerContext>, asked: &Receiver<Ask>) {
    for ask in asked {
        let (result, done) = match ask {
            Ask::Create { topic, partitions, done } => (create(cluster, &topic, partitions), done),
            Ask::Down { done } => (cluster.broker_down(BROKER), done),
            Ask::Up { done } => (cluster.broker_up(BROKER), done),
        };
        // Who asked may have gone; the cluster stays for the others.
        drop(done.send(result));
    }
}

fn create(
    cluster: &MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    topic: &str,
    partitions: i32,
) -> Result<(), KafkaError> {
    match cluster.create_topic(topic, partitions, 1) {
        Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
        other => other,
    }
}
