//! The threads that read orders and reports. They keep trying while their topic cannot be read, and end with their
//! generation.

use crate::capacity::TAIL_RECORDS;
use kafka::{Connection, Edge, Tail, TailConfig, TailRecord};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// What came in.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A record of the orders topic.
    Order(TailRecord),
    /// A record of the reports topic.
    Report(TailRecord),
}

/// Where operators' records come from.
#[derive(Clone, Debug)]
pub(crate) struct TailsSeed {
    pub(crate) connection: Connection,
    pub(crate) orders: String,
    pub(crate) reports: String,
    pub(crate) stop: Arc<AtomicBool>,
}

/// Starts both threads. Orders are read from the beginning, so that one given while nobody was there is heard (the gate
/// refuses what is too old); reports from now on.
pub(crate) fn start(seed: &TailsSeed) -> std::io::Result<(mpsc::Receiver<Heard>, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = mpsc::channel(TAIL_RECORDS);
    let orders = spawn("orders", seed, &seed.orders, Edge::Earliest, sender.clone(), Heard::Order)?;
    let reports = spawn("reports", seed, &seed.reports, Edge::Latest, sender, Heard::Report)?;
    Ok((receiver, vec![orders, reports]))
}

fn spawn(
    name: &str,
    seed: &TailsSeed,
    topic: &str,
    from: Edge,
    sender: mpsc::Sender<Heard>,
    heard: fn(TailRecord) -> Heard,
) -> std::io::Result<JoinHandle<()>> {
    let config = TailConfig::new(seed.connection.clone(), topic, from);
    let stop = seed.stop.clone();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || follow(&config, &stop, &sender, heard))
}

fn follow(config: &TailConfig, stop: &AtomicBool, sender: &mpsc::Sender<Heard>, heard: fn(TailRecord) -> Heard) {
    let mut pause = Duration::from_millis(200);
    while !stop.load(Ordering::Relaxed) && !sender.is_closed() {
        let followed = Tail::connect(config).and_then(|mut tail| {
            pause = Duration::from_millis(200);
            while !stop.load(Ordering::Relaxed) {
                if let Some(record) = tail.next(Duration::from_millis(100))?
                    && sender.blocking_send(heard(record)).is_err()
                {
                    return Ok(());
                }
            }
            Ok(())
        });
        if let Err(error) = followed {
            tracing::warn!(topic = config.topic, %error, "a topic cannot be read; trying again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
