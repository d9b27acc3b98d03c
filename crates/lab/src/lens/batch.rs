//! A batch of spans that owns what it says, so that a lens can change it.

use crate::Export;
use model::{SpanId, SpanKind, TraceId};
use telemetry::Encoding;
use telemetry::emit::{Attribute, LinkOut, ResourceSpans, SpanOut, StatusCode, Value, otlp_json_into, otlp_proto_into};

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Text(String),
    Int(i64),
    Bool(bool),
    Double(f64),
}

/// Attributes, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attributes(Vec<(String, Datum)>);

/// A span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) kind: SpanKind,
    pub(super) name: String,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) failed: bool,
    pub(super) trace_state: String,
    pub(super) attributes: Attributes,
    pub(super) links: Vec<LinkOut>,
}

/// A batch of spans as it arrives behind a lens. [`Batch::encode_into`] turns it into a record's payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When it arrives in the topic, Unix nanoseconds.
    pub at_ns: u64,
    pub(super) resource: Attributes,
    pub(super) scope: String,
    pub(super) scope_attributes: Attributes,
    pub(super) spans: Vec<Span>,
}

impl Batch {
    /// The batch that an exporter sends.
    pub(super) fn of(export: &Export) -> Batch {
        export.lend(|sent| Batch {
            at_ns: export.at_ns,
            resource: Attributes::of(sent.resource),
            scope: sent.scope.to_owned(),
            scope_attributes: Attributes::of(sent.scope_attributes),
            spans: sent.spans.iter().map(Span::of).collect(),
        })
    }

    /// The same exporter's batch with nothing in it.
    pub(super) fn without_spans(&self) -> Batch {
        let (resource, scope) = (self.resource.clone(), self.scope.clone());
        let scope_attributes = self.scope_attributes.clone();
        Batch { at_ns: self.at_ns, resource, scope, scope_attributes, spans: Vec::new() }
    }

    /// How many spans it holds; never none once it has passed a lens.
    pub fn span_count(&self) -> usize {
        self.spans.len()
    }

    /// The first span's trace id: a key for those who key records by trace.
    pub fn key_trace(&self) -> u128 {
        self.spans.first().map_or(0, |span| span.trace)
    }

    pub(super) fn service(&self) -> &str {
        self.resource.text("service.name")
    }

    pub(super) fn instance(&self) -> &str {
        self.resource.text("service.instance.id")
    }

    /// Appends the batch to `out` as one `ExportTraceServiceRequest`; [`Encoding::Auto`] means protobuf.
    pub fn encode_into(&self, encoding: Encoding, out: &mut Vec<u8>) {
        let attributes: Vec<Vec<Attribute<'_>>> = self.spans.iter().map(|span| span.attributes.lend()).collect();
        let spans: Vec<SpanOut<'_>> =
            self.spans.iter().zip(&attributes).map(|(span, attributes)| span.lend(attributes)).collect();
        let (resource, scope_attributes) = (self.resource.lend(), self.scope_attributes.lend());
        let (resource, scope_attributes) = (&resource[..], &scope_attributes[..]);
        let batch = [ResourceSpans { resource, scope: &self.scope, scope_attributes, spans: &spans }];
        match encoding {
            Encoding::OtlpJson => otlp_json_into(&batch, out),
            _ => otlp_proto_into(&batch, out),
        }
    }
}

impl Span {
    fn of(sent: &SpanOut<'_>) -> Span {
        Span {
            trace: sent.trace.0,
            id: sent.id.0,
            parent: sent.parent.0,
            kind: sent.kind,
            name: sent.name.to_owned(),
            start_ns: sent.start_ns,
            end_ns: sent.end_ns,
            failed: sent.status == StatusCode::Error,
            trace_state: sent.trace_state.to_owned(),
            attributes: Attributes::of(sent.attributes),
            links: sent.links.to_vec(),
        }
    }

    fn lend<'a>(&'a self, attributes: &'a [Attribute<'a>]) -> SpanOut<'a> {
        SpanOut {
            trace: TraceId(self.trace),
            id: SpanId(self.id),
            parent: SpanId(self.parent),
            kind: self.kind,
            name: &self.name,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            status: if self.failed { StatusCode::Error } else { StatusCode::Unset },
            trace_state: &self.trace_state,
            attributes,
            links: &self.links,
            ..SpanOut::default()
        }
    }

    /// Does it stand for a request that was received?
    pub(super) fn receives(&self) -> bool {
        matches!(self.kind, SpanKind::Server | SpanKind::Consumer)
    }
}

impl Attributes {
    fn of(sent: &[Attribute<'_>]) -> Attributes {
        let owned = |value: &Value<'_>| match value {
            Value::Str(text) => Datum::Text((*text).to_owned()),
            Value::Int(int) => Datum::Int(*int),
            Value::Bool(flag) => Datum::Bool(*flag),
            Value::Double(number) => Datum::Double(*number),
        };
        Attributes(sent.iter().map(|(key, value)| ((*key).to_owned(), owned(value))).collect())
    }

    fn lend(&self) -> Vec<Attribute<'_>> {
        let lent = |value| match value {
            &Datum::Int(int) => Value::Int(int),
            &Datum::Bool(flag) => Value::Bool(flag),
            &Datum::Double(number) => Value::Double(number),
            Datum::Text(text) => Value::Str(text),
        };
        self.0.iter().map(|(key, value)| (key.as_str(), lent(value))).collect()
    }

    /// The text under `key`, empty if there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        match self.0.iter().find(|(known, _)| known == key) {
            Some((_, Datum::Text(text))) => text,
            _ => "",
        }
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Datum> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// Puts the value in the place of what was there, or at the end.
    pub(super) fn set(&mut self, key: &str, value: Datum) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some(known) => known.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    pub(super) fn set_text(&mut self, key: &str, text: impl Into<String>) {
        self.set(key, Datum::Text(text.into()));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// Only these, and what they say.
    pub(super) fn texts(pairs: &[(&str, &str)]) -> Attributes {
        Attributes(pairs.iter().map(|(key, text)| ((*key).to_owned(), Datum::Text((*text).to_owned()))).collect())
    }
}
