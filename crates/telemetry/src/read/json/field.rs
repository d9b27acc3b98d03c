//! The fields' names of OTLP/JSON, in camelCase and snake_case.

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use std::fmt;

/// A field that is read, or any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ResourceSpans,
    Resource,
    ScopeSpans,
    Scope,
    Spans,
    TraceId,
    SpanId,
    ParentSpanId,
    TraceState,
    Name,
    Kind,
    Start,
    End,
    Attributes,
    Events,
    Links,
    Status,
    Code,
    Message,
    Key,
    Value,
    StringValue,
    IntValue,
    BoolValue,
    DoubleValue,
    ArrayValue,
    OtherValue,
    Values,
    Unknown,
}

fn named(name: &[u8]) -> Field {
    // By length first: a span of eleven attributes has some forty names.
    match name.len() {
        3 if name == b"key" => Field::Key,
        4 => match name {
            b"name" => Field::Name,
            b"kind" => Field::Kind,
            b"code" => Field::Code,
            _ => Field::Unknown,
        },
        5 => match name {
            b"value" => Field::Value,
            b"spans" => Field::Spans,
            b"links" => Field::Links,
            b"scope" => Field::Scope,
            _ => Field::Unknown,
        },
        6 => match name {
            b"spanId" => Field::SpanId,
            b"status" => Field::Status,
            b"events" => Field::Events,
            b"values" => Field::Values,
            _ => Field::Unknown,
        },
        7 => match name {
            b"traceId" => Field::TraceId,
            b"message" => Field::Message,
            b"span_id" => Field::SpanId,
            _ => Field::Unknown,
        },
        8 => match name {
            b"intValue" => Field::IntValue,
            b"resource" => Field::Resource,
            b"trace_id" => Field::TraceId,
            _ => Field::Unknown,
        },
        9 => match name {
            b"boolValue" => Field::BoolValue,
            b"int_value" => Field::IntValue,
            _ => Field::Unknown,
        },
        _ => long(name),
    }
}

fn long(name: &[u8]) -> Field {
    match name {
        b"stringValue" | b"string_value" => Field::StringValue,
        b"attributes" => Field::Attributes,
        b"startTimeUnixNano" | b"start_time_unix_nano" => Field::Start,
        b"endTimeUnixNano" | b"end_time_unix_nano" => Field::End,
        b"parentSpanId" | b"parent_span_id" => Field::ParentSpanId,
        b"traceState" | b"trace_state" => Field::TraceState,
        b"bool_value" => Field::BoolValue,
        b"doubleValue" | b"double_value" => Field::DoubleValue,
        b"arrayValue" | b"array_value" => Field::ArrayValue,
        b"kvlistValue" | b"kvlist_value" | b"bytesValue" | b"bytes_value" => Field::OtherValue,
        b"resourceSpans" | b"resource_spans" => Field::ResourceSpans,
        b"scopeSpans" | b"scope_spans" => Field::ScopeSpans,
        _ => Field::Unknown,
    }
}

/// Reads a field's name.
pub(super) struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Field, D::Error> {
        parser.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Field;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
        Ok(named(name.as_bytes()))
    }
}
