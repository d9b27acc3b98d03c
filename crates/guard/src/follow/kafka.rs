//! The control topic from Kafka, and reports to the reports topic.

use super::{REPORT_EVERY, wait};
use crate::settings::{KafkaSettings, SettingsError, wrong};
use crate::shared::Shared;
use control::report_record;
use kafka::{Connection, Edge, Error, Outgoing, Tail, TailConfig, Topics, Writer, WriterConfig};
use std::sync::Weak;
use std::thread;
use std::time::{Duration, Instant};

/// How long a poll waits: so long may the thread outlive its guard.
const POLL: Duration = Duration::from_millis(100);

/// What to follow and where to report.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    tail: TailConfig,
    writer: WriterConfig,
    reports_topic: String,
}

impl Plan {
    pub(super) fn of(settings: KafkaSettings) -> Result<Plan, SettingsError> {
        let names = Topics::default();
        let or = |text: String, otherwise: String| if text.is_empty() { otherwise } else { text };
        let connection = Connection { properties: settings.properties, ..Connection::to(&settings.brokers) };
        connection.validate().map_err(|error| wrong("kafka", format!("cannot be used: {error}")))?;
        let control_topic = or(settings.control_topic, names.control);
        Ok(Plan {
            tail: TailConfig::new(connection.clone(), &control_topic, Edge::Earliest),
            writer: WriterConfig { connection, ..WriterConfig::default() },
            reports_topic: or(settings.reports_topic, names.reports),
        })
    }
}

/// Follows and reports until the guard is gone.
pub(super) fn run(shared: &Weak<Shared>, plan: &Plan) {
    let mut tries = 0;
    while shared.strong_count() > 0 {
        let begun = Instant::now();
        if let Err(error) = follow(shared, plan) {
            tracing::warn!(%error, "no orders from Kafka; the guard goes on by itself");
        }
        tries = if begun.elapsed() > Duration::from_secs(60) { 0 } else { tries + 1 };
        let until = Instant::now() + wait(tries);
        while shared.strong_count() > 0 && Instant::now() < until {
            thread::sleep(POLL);
        }
    }
}

fn follow(shared: &Weak<Shared>, plan: &Plan) -> Result<(), Error> {
    let mut tail = Tail::connect(&plan.tail)?;
    let writer = Writer::connect(&plan.writer)?;
    let (mut caught_up, mut reported, mut acknowledged) = (false, Instant::now(), 0);
    loop {
        let record = tail.next(POLL)?;
        let Some(shared) = shared.upgrade() else { return Ok(()) };
        if let Some(record) = record {
            // a topic without the broker's time has no leases that can be trusted
            let broker_ms = record.timestamp_ms.and_then(|at_ms| u64::try_from(at_ms).ok()).unwrap_or(0);
            shared.offer(&record.into_record(), broker_ms);
        }
        if tail.caught_up() && !caught_up {
            caught_up = true;
            shared.caught_up();
        }
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            let record = report_record(&shared.settings.domain, &shared.report());
            // a report that finds no room is lost; the next one says how things stand by then
            let _ = writer.send(&Outgoing::of(&plan.reports_topic, record));
            let now_acknowledged = writer.written().acknowledged;
            if now_acknowledged > acknowledged {
                acknowledged = now_acknowledged;
                shared.heard();
            }
        }
    }
}
