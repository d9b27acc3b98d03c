//! OpenTelemetry spans: made by the handlers, exported in batches by a thread of their own, as OTLP to Kafka or to a
//! Collector. A full buffer drops spans and never holds up a request.

use kafka::{Connection, Writer, WriterConfig};
use model::{SpanId, SpanKind, TraceId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use telemetry::emit::{Attribute, ResourceSpans, SpanOut, StatusCode, Value, otlp_proto};

const BATCH_MAX: usize = 256;
const BATCH_EVERY: Duration = Duration::from_millis(200);
const BUFFERED_MAX: usize = 16_384;

/// Where a span stands in its trace: the W3C `traceparent`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The span.
    pub(crate) span: SpanId,
}

impl Context {
    /// A trace of its own.
    pub(crate) fn root() -> Context {
        Context { trace: TraceId(u128::from(random()) << 64 | u128::from(random())), span: SpanId::NONE }
    }

    /// A new span in the same trace.
    pub(crate) fn child(&self) -> Context {
        Context { trace: self.trace, span: SpanId(random()) }
    }

    /// Reads a header; whoever sends none begins a trace.
    pub(crate) fn read(header: Option<&str>) -> Context {
        let parts: Vec<&str> = header.unwrap_or_default().split('-').collect();
        let ["00", trace, span, _] = parts.as_slice() else { return Context::root() };
        match (u128::from_str_radix(trace, 16), u64::from_str_radix(span, 16)) {
            (Ok(trace), Ok(span)) => Context { trace: TraceId(trace), span: SpanId(span) },
            _ => Context::root(),
        }
    }

    /// The header for a call made under this span.
    pub(crate) fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace.0, self.span.0)
    }
}

/// An attribute that a handler sets.
#[derive(Clone, Debug)]
pub(crate) enum Set {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// A flag.
    Flag,
}

/// A finished span.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// Where it stands.
    pub(crate) context: Context,
    /// Its parent.
    pub(crate) parent: SpanId,
    /// Server or client.
    pub(crate) kind: SpanKind,
    /// What it is called.
    pub(crate) name: String,
    /// When it began, Unix nanoseconds.
    pub(crate) start_ns: u64,
    /// When it ended, Unix nanoseconds.
    pub(crate) end_ns: u64,
    /// Did it fail?
    pub(crate) failed: bool,
    /// What else is known.
    pub(crate) attributes: Vec<(&'static str, Set)>,
}

/// Takes finished spans. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    sender: SyncSender<Finished>,
}

/// Sends one batch.
type Sender = Box<dyn Fn(&[u8]) + Send>;

/// Where the batches go.
pub(crate) enum Road {
    /// A topic, as the Collector's Kafka exporter writes it.
    Kafka(Connection, String),
    /// A Collector's OTLP/HTTP endpoint.
    Collector(String),
}

impl Exporter {
    /// Starts the exporter of one instance.
    ///
    /// # Errors
    /// When Kafka cannot be reached, or the thread not be started.
    pub(crate) fn start(service: &str, instance: &str, road: Road) -> Result<Exporter, String> {
        let send: Sender = match road {
            Road::Kafka(connection, topic) => {
                let writer = Writer::connect(&WriterConfig { connection, ..WriterConfig::default() });
                let writer = writer.map_err(|error| error.to_string())?;
                Box::new(move |bytes| drop(writer.send_bytes(&topic, None, bytes)))
            }
            Road::Collector(url) => {
                let url = format!("{}/v1/traces", url.trim_end_matches('/'));
                // A Collector that is away costs its spans, as with any exporter.
                Box::new(move |bytes| {
                    drop(ureq::post(&url).header("content-type", "application/x-protobuf").send(bytes));
                })
            }
        };
        let (sender, receiver) = sync_channel(BUFFERED_MAX);
        let resource = [service.to_owned(), instance.to_owned()];
        let run = move || export(&receiver, &resource, &*send);
        std::thread::Builder::new().name("exporter".into()).spawn(run).map_err(|error| error.to_string())?;
        Ok(Exporter { sender })
    }

    /// Takes a span.
    pub(crate) fn take(&self, span: Finished) {
        drop(self.sender.try_send(span));
    }
}

fn export(receiver: &Receiver<Finished>, resource: &[String; 2], send: &dyn Fn(&[u8])) {
    let mut batch = Vec::new();
    let mut due = Instant::now() + BATCH_EVERY;
    loop {
        match receiver.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if batch.len() >= BATCH_MAX || Instant::now() >= due {
            if !batch.is_empty() {
                send(&encode(&batch, resource));
                batch.clear();
            }
            due = Instant::now() + BATCH_EVERY;
        }
    }
}

fn encode(batch: &[Finished], [service, instance]: &[String; 2]) -> Vec<u8> {
    let resource = [
        ("service.name", Value::Str(service)),
        ("service.instance.id", Value::Str(instance)),
        ("telemetry.sdk.name", Value::Str("opentelemetry")),
    ];
    let attributes: Vec<Vec<Attribute<'_>>> =
        batch.iter().map(|span| span.attributes.iter().map(value).collect()).collect();
    let out = |(span, attributes)| {
        let (span, attributes): (&Finished, &Vec<Attribute<'_>>) = (span, attributes);
        SpanOut {
            trace: span.context.trace,
            id: span.context.span,
            parent: span.parent,
            kind: span.kind,
            name: &span.name,
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            status: if span.failed { StatusCode::Error } else { StatusCode::Unset },
            attributes,
            ..SpanOut::default()
        }
    };
    let spans: Vec<SpanOut<'_>> = batch.iter().zip(&attributes).map(out).collect();
    otlp_proto(&[ResourceSpans { resource: &resource, scope: "fleet", scope_attributes: &[], spans: &spans }])
}

fn value<'a>((name, set): &'a (&'static str, Set)) -> Attribute<'a> {
    let value = match set {
        Set::Text(text) => Value::Str(text),
        Set::Number(number) => Value::Int(*number),
        Set::Flag => Value::Bool(true),
    };
    (name, value)
}

/// Unix nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// A number for ids and dice (SplitMix64), seeded by the clock and the process.
pub(crate) fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    if STATE.load(Ordering::Relaxed) == 0 {
        let seed = now_ns() ^ (u64::from(std::process::id()) << 40);
        let _ = STATE.compare_exchange(0, seed | 1, Ordering::Relaxed, Ordering::Relaxed);
    }
    let mut z = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_over_a_header() {
        let here = Context::root().child();
        let there = Context::read(Some(&here.header()));
        assert_eq!((there.trace, there.span), (here.trace, here.span));
        assert_ne!(Context::read(Some("nonsense")).trace, Context::read(None).trace);
    }
}
