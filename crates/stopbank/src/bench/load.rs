//! The load's own process: an embedded broker if wanted, and an open-loop generator that does what its standard input says.
//!
//! `fill SPANS` writes a backlog as fast as it can; `sing SPANS_PER_S SECONDS` sends at a rate, by the clock, whether or not
//! anybody reads; the end of the input ends it. Answers are JSON lines.

use crate::cli::BenchLoad;
use crate::exit::Failure;
use crate::print;
use kafka::{Connection, Embedded, Topics, Writer, WriterConfig};
use lab::generate::Chorus;
use serde_json::json;
use std::io::BufRead;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use telemetry::Encoding;

/// Event time in a backlog runs as if so many spans a second had come.
pub(super) const BACKLOG_SPANS_PER_S: f64 = 100_000.0;
/// The embedded broker keeps 5 MiB of each partition: many of them, so that a backlog fits.
const PARTITIONS: i32 = 32;
/// How often the spans sent so far are told.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Sleeps are so long at least: a generator that sleeps for every record wakes too often.
const NAP: Duration = Duration::from_millis(2);

/// Serves until the input ends.
///
/// # Errors
/// When there is no such mix, or the broker cannot be written to.
pub(crate) fn serve(arguments: &BenchLoad) -> Result<(), Failure> {
    let (_, mix) = super::mix(&arguments.mix).ok_or_else(|| Failure::usage("there is no such mix"))?;
    let embedded = if arguments.brokers.is_none() { Some(Embedded::start().map_err(Failure::job)?) } else { None };
    let topics = Topics::prefixed(&arguments.prefix);
    if let Some(broker) = &embedded {
        broker.create_topics(&topics, PARTITIONS).map_err(Failure::job)?;
    }
    let own = embedded.as_ref().map(|broker| broker.bootstrap().to_owned());
    let brokers = arguments.brokers.clone().or(own).unwrap_or_default();
    let mut connection = Connection::to(&brokers);
    // A fleet has many exporters, and all partitions bring something all the time; one producer that fills them in turns would
    // let event time advance by jumps.
    connection.producer.insert("sticky.partitioning.linger.ms".to_owned(), "0".to_owned());
    let config = WriterConfig { connection, ..WriterConfig::default() };
    let mut load = Load {
        chorus: Chorus::new(&mix.topology(), 1, Encoding::OtlpProto),
        writer: Writer::connect(&config).map_err(Failure::job)?,
        topic: topics.traces.into_iter().next().unwrap_or_default(),
        record: Vec::new(),
        sent: 0,
    };
    print::json(&json!({"type": "ready", "brokers": brokers, "voice_spans_per_s": load.chorus.voice_spans_per_s()}))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["fill", spans] => load.fill(number(spans)? as u64)?,
            ["sing", rate, seconds] => load.sing(number(rate)?, Duration::from_secs_f64(number(seconds)?))?,
            _ => return Err(Failure::usage(format!("{line}: fill SPANS, or sing SPANS_PER_S SECONDS"))),
        }
    }
    Ok(())
}

fn number(word: &str) -> Result<f64, Failure> {
    word.parse().map_err(|error| Failure::usage(format!("{word}: {error}")))
}

struct Load {
    chorus: Chorus,
    writer: Writer,
    topic: String,
    record: Vec<u8>,
    /// Spans sent since the start.
    sent: u64,
}

impl Load {
    /// Writes a backlog whose event time ends now.
    fn fill(&mut self, spans: u64) -> Result<(), Failure> {
        let (voices, rate) = self.voices(BACKLOG_SPANS_PER_S);
        let length_ns = (spans as f64 / rate * 1e9) as u64;
        self.chorus.sing(voices, now_ns().saturating_sub(length_ns));
        let until = self.sent + spans;
        while self.sent < until && self.next()?.is_some() {}
        self.done(rate, Duration::ZERO)
    }

    /// Sends at a rate for so long, by the clock.
    fn sing(&mut self, rate: f64, length: Duration) -> Result<(), Failure> {
        let (voices, rate) = self.voices(rate);
        let (began, start_ns) = (Instant::now(), now_ns());
        self.chorus.sing(voices, start_ns);
        let (mut told, mut latest) = (Instant::now(), Duration::ZERO);
        while let Some(due_ns) = self.next()? {
            let due = Duration::from_nanos(due_ns.saturating_sub(start_ns));
            if due >= length || began.elapsed() >= length {
                break;
            }
            match due.checked_sub(began.elapsed()) {
                Some(wait) if wait >= NAP => std::thread::sleep(wait),
                Some(_) => {}
                None => latest = latest.max(began.elapsed() - due),
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                print::json(&json!({"type": "at", "spans": self.sent}))?;
            }
        }
        self.done(rate, latest)
    }

    /// Sends the next record; says when it was due.
    fn next(&mut self) -> Result<Option<u64>, Failure> {
        let Some(meta) = self.chorus.next_record(&mut self.record) else { return Ok(None) };
        self.writer.send_bytes(&self.topic, None, &self.record).map_err(Failure::job)?;
        self.sent += u64::from(meta.spans);
        Ok(Some(meta.at_ns))
    }

    fn done(&mut self, rate: f64, latest: Duration) -> Result<(), Failure> {
        let written = self.writer.flush(Duration::from_secs(60)).map_err(Failure::job)?;
        let late_ms = latest.as_millis() as u64;
        Ok(print::json(&json!({"type": "done", "spans": self.sent, "offered_per_s": rate, "late_ms": late_ms,
            "failed": written.failed}))?)
    }

    /// How many voices come closest to a rate, and their rate.
    fn voices(&self, spans_per_s: f64) -> (u32, f64) {
        let one = self.chorus.voice_spans_per_s().max(1.0);
        let voices = (spans_per_s / one).round().clamp(1.0, 10_000.0) as u32;
        (voices, f64::from(voices) * one)
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
