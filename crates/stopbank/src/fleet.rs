//! The demo's fleet on the wall clock: one model of a fleet, paced, on a real Kafka client. It writes its spans and its
//! guards' reports, and obeys what the control topic says by the subscriber's rule.

use crate::exit::Failure;
use control::{Clamps, Keyring, Record};
use kafka::{Connection, Edge, Outgoing, Tail, TailConfig, TailRecord, Topics, Writer, WriterConfig};
use lab::{Second, Topology, World, WorldConfig};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use telemetry::Encoding;

/// How often the world catches up with the clock.
const STEP: Duration = Duration::from_millis(20);

/// Where the spans go.
pub(crate) enum Spans {
    /// The first telemetry topic.
    Topic,
    /// The OTLP/HTTP endpoint of a Collector, for example `http://localhost:4318`.
    Otlp(String),
}

/// Whose commands are obeyed.
pub(crate) enum Obedience {
    /// Commands of this domain that these keys signed.
    Obey { domain: String, keyring: Keyring },
    /// None: the commands are read by nobody.
    Ignore,
}

/// What a fleet needs to run.
pub(crate) struct FleetConfig {
    pub(crate) topology: Topology,
    pub(crate) seed: u64,
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) spans: Spans,
    pub(crate) obedience: Obedience,
    /// The domain in the reports' keys.
    pub(crate) domain: String,
}

/// A running fleet. It ends when this is dropped.
pub(crate) struct Fleet {
    seconds: Arc<Mutex<Vec<Second>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl Fleet {
    /// Starts it; virtual time 0 is now.
    ///
    /// # Errors
    /// When Kafka cannot be reached.
    pub(crate) fn start(config: FleetConfig) -> Result<Fleet, Failure> {
        let seconds = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let link = Link::connect(&config)?;
        let (shared, stopped) = (seconds.clone(), stop.clone());
        let thread = thread::Builder::new().name("fleet".into()).spawn(move || run(config, link, &shared, &stopped));
        Ok(Fleet { seconds, stop, thread: Some(thread?) })
    }

    /// What happened in each second so far.
    pub(crate) fn seconds(&self) -> Vec<Second> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has it ended by itself? Then something went wrong.
    pub(crate) fn ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops it and says what went wrong, if anything did.
    ///
    /// # Errors
    /// What ended it early.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Failure::job("the fleet's thread died")),
            None => Ok(()),
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The fleet's connection to the world outside.
struct Link {
    writer: Writer,
    control: Option<Tail>,
    spans: Spans,
    topic: String,
    reports: String,
    domain: String,
}

impl Link {
    fn connect(config: &FleetConfig) -> Result<Link, Failure> {
        let connection = config.connection.clone();
        let control = match config.obedience {
            Obedience::Ignore => None,
            Obedience::Obey { .. } => {
                let tail = TailConfig::new(connection.clone(), &config.topics.control, Edge::Earliest);
                Some(Tail::connect(&tail).map_err(Failure::unreachable)?)
            }
        };
        let writer = Writer::connect(&WriterConfig { connection, ..WriterConfig::default() });
        Ok(Link {
            writer: writer.map_err(Failure::unreachable)?,
            control,
            spans: match &config.spans {
                Spans::Topic => Spans::Topic,
                Spans::Otlp(url) => Spans::Otlp(url.clone()),
            },
            topic: config.topics.traces.first().cloned().unwrap_or_else(|| "otlp_spans".into()),
            reports: config.topics.reports.clone(),
            domain: config.domain.clone(),
        })
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        match &self.spans {
            Spans::Topic => self.writer.send_bytes(&self.topic, None, bytes).map_err(Failure::job),
            Spans::Otlp(url) => {
                let url = format!("{}/v1/traces", url.trim_end_matches('/'));
                // A Collector that is away for a moment costs its spans, as with any exporter.
                if let Err(error) = ureq::post(&url).header("content-type", "application/x-protobuf").send(bytes) {
                    tracing::warn!(%url, %error, "spans were not taken");
                }
                Ok(())
            }
        }
    }
}

fn run(config: FleetConfig, mut link: Link, shared: &Mutex<Vec<Second>>, stop: &AtomicBool) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Failure::job)?;
    let start_unix_ns = u64::try_from(now.as_nanos()).map_err(Failure::job)?;
    let began = Instant::now();
    let obey = matches!(config.obedience, Obedience::Obey { .. });
    let mut world = World::new(config.topology, WorldConfig { seed: config.seed, start_unix_ns, obey });
    if let Obedience::Obey { domain, keyring } = config.obedience {
        world.subscribe(&domain, keyring, &Clamps::default());
    }
    let mut bytes = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(control) = &mut link.control {
            while let Some(record) = control.next(Duration::ZERO).map_err(Failure::job)? {
                let broker_ms = record.timestamp_ms.and_then(|ms| u64::try_from(ms).ok());
                world.offer(&wire(&record), broker_ms.unwrap_or(world.now_unix_ns() / 1_000_000));
            }
        }
        world.run_until(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        for export in world.take_exports() {
            bytes.clear();
            export.encode_into(Encoding::OtlpProto, &mut bytes);
            link.send(&bytes)?;
        }
        for report in world.take_reports() {
            link.writer
                .send(&outgoing(&link.reports, control::report_record(&link.domain, &report)))
                .map_err(Failure::job)?;
        }
        world.tally().clone_into(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
        thread::sleep(STEP);
    }
    link.writer.flush(Duration::from_secs(5)).map_err(Failure::job)?;
    Ok(())
}

fn wire(record: &TailRecord) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Record {
        key: record.key.as_deref().map(text).unwrap_or_default(),
        value: record.value.clone().unwrap_or_default(),
        headers: record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}

fn outgoing(topic: &str, record: Record) -> Outgoing {
    let headers = record.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    Outgoing { topic: topic.to_owned(), key: Some(record.key.into_bytes()), value: Some(record.value), headers }
}
