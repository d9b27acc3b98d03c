//! `stopbank generate`: realistic spans to a topic or a file.

use crate::cli::{Generate, Rate, SpanEncoding};
use crate::exit::Failure;
use crate::print::{self, Format, Progress};
use kafka::{Connection, Writer, WriterConfig};
use lab::Topology;
use lab::generate::{Generator, RecordMeta};
use serde_json::json;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use telemetry::Encoding;
use telemetry::capture::{CaptureWriter, Compression, Framing};

/// The first instant in a file, unless one is given: a fixed one, so that the same seed gives the same bytes.
const FILE_START_UNIX_S: u64 = 1_750_000_000;
/// How often progress is shown, in records.
const PROGRESS_EVERY: u64 = 512;

pub(super) fn run(arguments: &Generate, format: Format) -> Result<(), Failure> {
    let topology = topology(&arguments.topology)?;
    let mut sink = Sink::open(arguments)?;
    let start_unix_ns = start_unix_ns(arguments)?;
    let rate = match arguments.rate {
        Rate::Max => lab::generate::Rate::Max,
        Rate::PerSecond(rate) => lab::generate::Rate::SpansPerSecond(rate),
    };
    let encoding = match arguments.encoding {
        SpanEncoding::OtlpProto => Encoding::OtlpProto,
        SpanEncoding::OtlpJson => Encoding::OtlpJson,
    };
    let mut generator = Generator::through(arguments.lens, &topology, arguments.seed, rate, encoding, start_unix_ns);
    let limits = Limits::new(arguments, start_unix_ns);
    let progress = Progress::new();
    let began = Instant::now();
    let (mut record, mut spans, mut records, mut bytes) = (Vec::new(), 0u64, 0u64, 0u64);
    while let Some(meta) = generator.next_record(&mut record) {
        if limits.reached(spans, &meta, began) {
            break;
        }
        if sink.is_topic() && limits.paced {
            pace(began, meta.at_ns.saturating_sub(start_unix_ns));
        }
        sink.write(&record)?;
        spans += u64::from(meta.spans);
        records += 1;
        bytes += record.len() as u64;
        if records.is_multiple_of(PROGRESS_EVERY) {
            let seconds = began.elapsed().as_secs_f64();
            progress.show(&format!("{spans} spans, {:.0} spans/s", spans as f64 / seconds));
        }
    }
    progress.clear();
    sink.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    match format {
        Format::Json => print::json(&json!({"type": "summary", "spans": spans, "records": records, "bytes": bytes,
            "elapsed_s": seconds, "seed": arguments.seed}))?,
        Format::Text => print::line(&format!(
            "{spans} spans in {records} records ({:.1} MB), {:.0} spans/s",
            bytes as f64 / 1e6,
            spans as f64 / seconds.max(1e-9)
        ))?,
    }
    Ok(())
}

/// A built-in topology by name, else a file.
pub(in crate::commands) fn topology(name: &str) -> Result<Topology, Failure> {
    if let Some(topology) = lab::builtin(name) {
        return Ok(topology);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        let known = lab::builtin_names().collect::<Vec<_>>().join(", ");
        Failure::usage(format!("{name}: {error}; built-in topologies: {known}"))
    })?;
    Topology::from_toml(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))
}

fn start_unix_ns(arguments: &Generate) -> Result<u64, Failure> {
    let seconds = match (arguments.start, arguments.out.is_some()) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, true) => Duration::from_secs(FILE_START_UNIX_S),
        (None, false) => SystemTime::now().duration_since(UNIX_EPOCH).map_err(Failure::job)?,
    };
    u64::try_from(seconds.as_nanos()).map_err(|_| Failure::usage("--start lies too far in the future"))
}

/// When to stop. Paced generation ends by event time, `--rate max` to a topic by the wall clock.
struct Limits {
    spans_max: u64,
    end_ns: u64,
    wall_max: Duration,
    paced: bool,
}

impl Limits {
    fn new(arguments: &Generate, start_unix_ns: u64) -> Limits {
        let duration = arguments.duration.map(crate::config::Length::duration);
        let paced = arguments.rate != Rate::Max;
        let by_event_time = paced || arguments.out.is_some();
        let forever = Duration::from_secs(u64::from(u32::MAX));
        let event_ns = duration.filter(|_| by_event_time).map_or(u64::MAX, |length| {
            start_unix_ns.saturating_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
        });
        let wall_max = duration.filter(|_| !by_event_time).unwrap_or(forever);
        Limits { spans_max: arguments.spans.unwrap_or(u64::MAX), end_ns: event_ns, wall_max, paced }
    }

    fn reached(&self, spans: u64, meta: &RecordMeta, began: Instant) -> bool {
        spans >= self.spans_max || meta.at_ns > self.end_ns || began.elapsed() >= self.wall_max
    }
}

/// Waits until `at_ns` after `began`.
fn pace(began: Instant, at_ns: u64) {
    let due = Duration::from_nanos(at_ns);
    if let Some(wait) = due.checked_sub(began.elapsed()) {
        sleep(wait);
    }
}

/// Where records go.
enum Sink {
    Topic { writer: Writer, topic: String },
    File(CaptureWriter<BufWriter<File>>),
}

impl Sink {
    fn open(arguments: &Generate) -> Result<Sink, Failure> {
        if let Some(path) = &arguments.out {
            let file = File::create(path).map_err(|error| Failure::job(format!("{}: {error}", path.display())))?;
            let framing = match arguments.encoding {
                SpanEncoding::OtlpProto => Framing::LengthPrefixed,
                SpanEncoding::OtlpJson => Framing::JsonLines,
            };
            return Ok(Sink::File(CaptureWriter::new(BufWriter::new(file), framing, compression(path))?));
        }
        let brokers = arguments.brokers.as_deref().unwrap_or_default();
        let mut connection = Connection::to(brokers);
        for property in &arguments.properties {
            let (key, value) = property
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("-X {property}: write it as key=value")))?;
            connection.properties.insert(key.to_owned(), value.to_owned());
        }
        let config = WriterConfig { connection, ..WriterConfig::default() };
        let writer = Writer::connect(&config).map_err(super::kafka_failure)?;
        Ok(Sink::Topic { writer, topic: arguments.topic.clone() })
    }

    fn is_topic(&self) -> bool {
        matches!(self, Sink::Topic { .. })
    }

    fn write(&mut self, record: &[u8]) -> Result<(), Failure> {
        match self {
            Sink::Topic { writer, topic } => writer.send_bytes(topic, None, record).map_err(super::kafka_failure),
            Sink::File(file) => Ok(file.write_record(record)?),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Sink::Topic { writer, .. } => {
                let written = writer.flush(Duration::from_secs(60)).map_err(super::kafka_failure)?;
                match written.last_error {
                    Some(error) if written.failed > 0 => {
                        Err(Failure::job(format!("{} records were not written: {error}", written.failed)))
                    }
                    _ => Ok(()),
                }
            }
            Sink::File(file) => {
                let file = file.finish()?.into_inner().map_err(|error| Failure::job(error.into_error()))?;
                Ok(file.sync_all()?)
            }
        }
    }
}

fn compression(path: &Path) -> Compression {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => Compression::Zstd,
        Some("gz") => Compression::Gzip,
        _ => Compression::None,
    }
}
