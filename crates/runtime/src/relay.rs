//! The control topic for readers who have no Kafka, and their reports the other way. It lives as long as the process and
//! does not ask who owns the domain: a standby serves guards as well. Verifies nothing and decides nothing.

use crate::state::locked;
use kafka::{Connection, Edge, Outgoing, Tail, TailConfig, TailRecord, Topics, Writer, WriterConfig};
use model::GuardReport;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keys of the control topic that are kept; past that the oldest go.
const KEYS_MAX: usize = 65_536;
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A report is worth nothing a few seconds later.
const REPORT_WITHIN_MS: u32 = 3_000;
const REPORT_BYTES_MAX: usize = 4 << 20;

/// A record of the control topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Its key, value and headers.
    pub record: control::Record,
    /// The broker's timestamp, Unix milliseconds.
    pub timestamp_ms: u64,
}

/// Of each key the newest record, from some place on.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Where to go on.
    pub next: u64,
    /// Records with their offsets, in the topic's order.
    pub records: Vec<(u64, Arc<Relayed>)>,
}

/// Follows the control topic, and writes reports. Ends when it is dropped.
pub struct Relay {
    topic: Arc<Mutex<Held>>,
    connection: Connection,
    reports: String,
    domain: String,
    writer: Mutex<Option<Arc<Writer>>>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Held {
    by_place: BTreeMap<u64, Arc<Relayed>>,
    places: HashMap<String, u64>,
    next: u64,
    is_caught_up: bool,
}

impl Held {
    /// One partition: the offset is the place in the whole topic.
    fn take(&mut self, record: TailRecord) {
        let place = u64::try_from(record.offset).unwrap_or_default();
        let timestamp_ms = record.timestamp_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        self.next = self.next.max(place + 1);
        let record = record.into_record();
        if let Some(before) = self.places.remove(&record.key) {
            self.by_place.remove(&before);
        }
        if record.value.is_empty() {
            return;
        }
        self.places.insert(record.key.clone(), place);
        self.by_place.insert(place, Arc::new(Relayed { record, timestamp_ms }));
        if self.by_place.len() > KEYS_MAX
            && let Some((_, oldest)) = self.by_place.pop_first()
        {
            self.places.remove(&oldest.record.key);
        }
    }
}

impl Relay {
    /// Starts following on a thread of its own. The broker may be away: it keeps trying.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(connection: Connection, topics: &Topics, domain: &str) -> std::io::Result<Relay> {
        let topic: Arc<Mutex<Held>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let config = TailConfig::new(connection.clone(), &topics.control, Edge::Earliest);
        let (held, stopped) = (topic.clone(), stop.clone());
        std::thread::Builder::new().name("relay".into()).spawn(move || follow(&config, &held, &stopped))?;
        let (reports, domain) = (topics.reports.clone(), domain.to_owned());
        Ok(Relay { topic, connection, reports, domain, writer: Mutex::default(), stop })
    }

    /// The topic from place `next` on; `None` until its state has been read to the end once.
    pub fn since(&self, next: u64) -> Option<Changes> {
        let held = locked(&self.topic);
        let records = held.by_place.range(next..).map(|(place, record)| (*place, record.clone())).collect();
        held.is_caught_up.then_some(Changes { next: held.next, records })
    }

    /// Writes reports to their topic, without waiting for the broker's answer.
    ///
    /// # Errors
    /// When no broker answers at the first time, or there is no room.
    pub fn report(&self, reports: &[GuardReport]) -> Result<(), kafka::Error> {
        let writer = self.writer()?;
        for report in reports {
            let record = control::report_record(&self.domain, report);
            writer.send(&Outgoing::of(&self.reports, record))?;
        }
        Ok(())
    }

    /// Connected when the first report comes: most fleets have Kafka.
    fn writer(&self) -> Result<Arc<Writer>, kafka::Error> {
        let mut writer = locked(&self.writer);
        if let Some(writer) = &*writer {
            return Ok(writer.clone());
        }
        let config = WriterConfig {
            connection: self.connection.clone(),
            timeout_ms: REPORT_WITHIN_MS,
            buffer_bytes_max: REPORT_BYTES_MAX,
            ..WriterConfig::default()
        };
        Ok(writer.insert(Arc::new(Writer::connect(&config)?)).clone())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Relay").field("domain", &self.domain).finish_non_exhaustive()
    }
}

fn follow(config: &TailConfig, held: &Mutex<Held>, stop: &AtomicBool) {
    let mut pause = PAUSE_MIN;
    while !stop.load(Ordering::Relaxed) {
        let followed = Tail::connect(config).and_then(|mut tail| {
            pause = PAUSE_MIN;
            while !stop.load(Ordering::Relaxed) {
                let record = tail.next(Duration::from_millis(100))?;
                let mut held = locked(held);
                record.into_iter().for_each(|record| held.take(record));
                held.is_caught_up |= tail.caught_up();
            }
            Ok(())
        });
        if let Err(error) = followed {
            tracing::warn!(topic = config.topic, %error, "the control topic cannot be relayed; trying again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, key: &str, value: &[u8]) -> TailRecord {
        let value = (!value.is_empty()).then(|| value.to_vec());
        TailRecord { offset, key: Some(key.into()), value, timestamp_ms: Some(9), ..TailRecord::default() }
    }

    #[test]
    fn of_each_key_the_newest_is_kept_in_the_topics_order_and_a_tombstone_forgets() {
        let mut held = Held::default();
        for (offset, key, value) in [(0, "a", "1"), (1, "b", "2"), (2, "a", "3"), (3, "c", "4"), (4, "b", "")] {
            held.take(record(offset, key, value.as_bytes()));
        }
        let kept: Vec<(u64, &str)> =
            held.by_place.iter().map(|(place, one)| (*place, one.record.key.as_str())).collect();
        assert_eq!((kept, held.next), (vec![(2, "a"), (3, "c")], 5));
        assert_eq!(held.places.len(), 2);
    }
}
