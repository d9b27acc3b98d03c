//! A fleet that lives on the wall clock, writes its spans and guards' reports, obeys commands, and counts what it wrote.

use control::{Clamps, Keyring};
use kafka::{Connection, Edge, Outgoing, Tail, TailConfig, Topics, Writer, WriterConfig};
use lab::{Topology, World, WorldConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use telemetry::Encoding;

/// The share of the shop's load that is simulated.
const SCALE: f64 = 0.4;
const STEP: Duration = Duration::from_millis(20);

/// A stretch of load.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// A service that becomes so many times slower at a second, for twelve of them.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    pub service: &'static str,
    pub factor: f64,
    pub at_s: u64,
}

/// The shop, and what becomes slow.
fn topology(slow: &[Slow]) -> Topology {
    let faults = slow.iter().map(|Slow { service, factor, at_s }| {
        format!(
            "\n[[fault]]\nkind = \"slow\"\nservice = \"{service}\"\nfactor = {factor:.1}\nstart_s = {at_s}.0\nduration_s = 12.0\n"
        )
    });
    let shop = lab::builtin("shop").expect("it comes with the program").without_faults();
    let text: String = faults.collect();
    let with = Topology::from_toml(&format!("{}{text}", without_faults(lab::builtin_toml("shop").expect("text"))));
    Topology { fault: with.expect("a right topology").fault, ..shop }.scaled(SCALE)
}

fn without_faults(toml: &str) -> &str {
    toml.find("[[fault]]").map_or(toml, |at| &toml[..at])
}

impl Load {
    /// Starts it; `written` counts spans that are acknowledged when it has stopped.
    pub fn start(
        connection: &Connection,
        topics: &Topics,
        (domain, keyring): (&str, Keyring),
        seed: u64,
        slow: &[Slow],
        written: Arc<AtomicU64>,
    ) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (connection, topics, stopped) = (connection.clone(), topics.clone(), stop.clone());
        let (domain, topology) = (domain.to_owned(), topology(slow));
        // A world does not go from thread to thread: it is made where it lives.
        let thread = std::thread::spawn(move || {
            let start_unix_ns = crate::fixture::now_ms() * 1_000_000;
            let mut world = World::new(topology, WorldConfig { seed, start_unix_ns, obey: true });
            world.subscribe(&domain, keyring, &Clamps::default());
            live(world, &connection, &topics, &domain, &stopped, &written);
        });
        Load { stop, thread }
    }

    /// Ends it; when this returns all of its spans are on the topic.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("everything was written");
    }
}

fn live(
    mut world: World,
    connection: &Connection,
    topics: &Topics,
    domain: &str,
    stop: &AtomicBool,
    written: &AtomicU64,
) {
    let patient = WriterConfig { connection: connection.clone(), timeout_ms: 120_000, ..WriterConfig::default() };
    let writer = Writer::connect(&patient).expect("the broker answers");
    let mut control =
        Tail::connect(&TailConfig::new(connection.clone(), &topics.control, Edge::Earliest)).expect("there");
    let (began, mut bytes) = (Instant::now(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        while let Some(record) = control.next(Duration::ZERO).expect("an outage is no error") {
            let broker_ms = record.timestamp_ms.unwrap_or(0) as u64;
            world.offer(&record.into_record(), broker_ms);
        }
        world.run_until(began.elapsed().as_nanos() as u64);
        for export in world.take_exports() {
            bytes.clear();
            export.encode_into(Encoding::OtlpProto, &mut bytes);
            let key = export.key_trace().to_le_bytes();
            writer.send_bytes(&topics.traces[0], Some(&key), &bytes).expect("room in the buffer");
            written.fetch_add(export.span_count() as u64, Ordering::Relaxed);
        }
        for report in world.take_reports() {
            let report = Outgoing::of(&topics.reports, control::report_record(domain, &report));
            writer.send(&report).expect("room in the buffer");
        }
        std::thread::sleep(STEP);
    }
    assert_eq!(writer.flush(Duration::from_secs(120)).expect("acknowledged").failed, 0);
}
