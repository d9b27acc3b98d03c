//! What a record says, reduced; and what about it was odd.

use model::{Named, Span};

/// What was odd about a span, a resource or an attribute inside an otherwise good record. The record is read all the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Oddity {
    /// The trace id is missing, zero or not 16 bytes long: the span is left out.
    TraceId,
    /// The span id is missing, zero or not 8 bytes long: the span is left out.
    SpanId,
    /// The parent's id is not 8 bytes long: the span is read as a root.
    ParentId,
    /// The end is missing or cannot be read: the span is left out, it has no event time.
    EndTime,
    /// The start is missing, cannot be read or lies after the end: the span is clamped to zero length.
    StartTime,
    /// The kind is none that OpenTelemetry knows: read as internal.
    Kind,
    /// An attribute's value has a type that it cannot have: read as if it was not there.
    AttributeValue,
    /// More attributes than `attributes_per_span_max`: the rest is left out.
    AttributesCut,
    /// More links than `links_per_span_max`, or than the record's span budget leaves room for: the rest is left out.
    LinksCut,
    /// A link without a trace or span id: left out.
    Link,
    /// The resource has no `service.name`: the service is `unknown_service`.
    ServiceName,
    /// A name is longer than `name_bytes_max`: cut.
    NameCut,
    /// A name is not UTF-8: the bad bytes are replaced.
    NameText,
}

impl Oddity {
    /// All of them.
    pub const ALL: [Oddity; 13] = [
        Oddity::TraceId,
        Oddity::SpanId,
        Oddity::ParentId,
        Oddity::EndTime,
        Oddity::StartTime,
        Oddity::Kind,
        Oddity::AttributeValue,
        Oddity::AttributesCut,
        Oddity::LinksCut,
        Oddity::Link,
        Oddity::ServiceName,
        Oddity::NameCut,
        Oddity::NameText,
    ];

    /// The label under which it is counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Oddity::TraceId => "trace_id",
            Oddity::SpanId => "span_id",
            Oddity::ParentId => "parent_id",
            Oddity::EndTime => "end_time",
            Oddity::StartTime => "start_time",
            Oddity::Kind => "kind",
            Oddity::AttributeValue => "attribute_value",
            Oddity::AttributesCut => "attributes_cut",
            Oddity::LinksCut => "links_cut",
            Oddity::Link => "link",
            Oddity::ServiceName => "service_name",
            Oddity::NameCut => "name_cut",
            Oddity::NameText => "name_text",
        }
    }

    /// Is a span that has this left out?
    pub fn drops_the_span(self) -> bool {
        matches!(self, Oddity::TraceId | Oddity::SpanId | Oddity::EndTime)
    }
}

/// How often each [`Oddity`] was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities([u64; Oddity::ALL.len()]);

impl Oddities {
    /// Counts one.
    pub fn count(&mut self, oddity: Oddity) {
        self.0[oddity as usize] += 1;
    }

    /// How often this one was met.
    pub fn of(&self, oddity: Oddity) -> u64 {
        self.0[oddity as usize]
    }

    /// Those that were met at all, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Oddity, u64)> + '_ {
        Oddity::ALL.into_iter().map(|oddity| (oddity, self.of(oddity))).filter(|pair| pair.1 > 0)
    }

    /// Spans that were left out.
    pub fn spans_left_out(&self) -> u64 {
        self.iter().filter(|pair| pair.0.drops_the_span()).map(|pair| pair.1).sum()
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Oddities) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// What [`crate::Reader::read`] appends to. Made to be used again and again: [`Facts::clear`] keeps the capacity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The spans, in the record's order; copies for links (`SpanFlags::LINKED`) follow their span.
    pub spans: Vec<Span>,
    /// The names that these spans use and that the reader had not announced before (or had forgotten).
    pub names: Vec<Named>,
    /// What was odd.
    pub oddities: Oddities,
}

impl Facts {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.names.clear();
        self.oddities = Oddities::default();
    }
}
