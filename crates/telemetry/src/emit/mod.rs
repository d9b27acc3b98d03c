//! Spans to OTLP bytes, protobuf and JSON: what the generator and the tests send.
//!
//! Borrowed on the way in, appended to a buffer of the caller on the way out.

mod json;
mod proto;
mod restamp;

pub use json::otlp_json_into;
pub use proto::otlp_proto_into;
pub use restamp::restamp;

use model::{SpanId, SpanKind, TraceId};

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// A 64-bit integer.
    Int(i64),
    /// A flag.
    Bool(bool),
    /// A floating-point number.
    Double(f64),
}

/// An attribute: key and value.
pub type Attribute<'a> = (&'a str, Value<'a>);

/// A span's status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum StatusCode {
    /// Not said.
    #[default]
    Unset = 0,
    /// Said to be good.
    Ok = 1,
    /// Failed.
    Error = 2,
}

/// A link to another span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkOut {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
}

/// An event inside a span.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EventOut<'a> {
    /// When, in Unix nanoseconds.
    pub time_ns: u64,
    /// `exception`, for example.
    pub name: &'a str,
    /// Its attributes.
    pub attributes: &'a [Attribute<'a>],
}

/// A span to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanOut<'a> {
    /// The trace.
    pub trace: TraceId,
    /// This span.
    pub id: SpanId,
    /// The parent, or none.
    pub parent: SpanId,
    /// What it is.
    pub kind: SpanKind,
    /// Its name.
    pub name: &'a str,
    /// Start, in Unix nanoseconds.
    pub start_ns: u64,
    /// End, in Unix nanoseconds.
    pub end_ns: u64,
    /// How it ended.
    pub status: StatusCode,
    /// Why, in words.
    pub status_message: &'a str,
    /// The W3C `tracestate`.
    pub trace_state: &'a str,
    /// Its attributes.
    pub attributes: &'a [Attribute<'a>],
    /// Its links.
    pub links: &'a [LinkOut],
    /// Its events.
    pub events: &'a [EventOut<'a>],
}

/// The spans of one resource and one instrumentation scope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceSpans<'a> {
    /// The resource's attributes (`service.name` among them).
    pub resource: &'a [Attribute<'a>],
    /// The instrumentation scope's name; may be empty.
    pub scope: &'a str,
    /// The instrumentation scope's attributes.
    pub scope_attributes: &'a [Attribute<'a>],
    /// The spans.
    pub spans: &'a [SpanOut<'a>],
}

/// An `ExportTraceServiceRequest` in protobuf.
pub fn otlp_proto(resources: &[ResourceSpans<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    otlp_proto_into(resources, &mut out);
    out
}

/// An `ExportTraceServiceRequest` in OTLP/JSON, on one line, without a line feed.
pub fn otlp_json(resources: &[ResourceSpans<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    otlp_json_into(resources, &mut out);
    out
}

/// OpenTelemetry's number of a span kind.
fn kind_number(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}
