//! OTLP protobuf, written front to back: lengths are computed before what they are the lengths of.

use super::{Attribute, EventOut, LinkOut, ResourceSpans, SpanOut, StatusCode, Value, kind_number};

/// Appends an `ExportTraceServiceRequest` in protobuf to `out`.
pub fn otlp_proto_into(resources: &[ResourceSpans<'_>], out: &mut Vec<u8>) {
    for resource in resources {
        open(1, resource_spans_len(resource), out);
        open(1, attributes_len(resource.resource), out);
        attributes(resource.resource, 1, out);
        open(2, scope_spans_len(resource), out);
        let scope = scope_len(resource);
        if scope > 0 {
            open(1, scope, out);
            text(1, resource.scope, out);
            attributes(resource.scope_attributes, 3, out);
        }
        for each in resource.spans {
            open(2, span_len(each), out);
            span(each, out);
        }
    }
}

fn resource_spans_len(resource: &ResourceSpans<'_>) -> usize {
    nested(attributes_len(resource.resource)) + nested(scope_spans_len(resource))
}

fn scope_spans_len(resource: &ResourceSpans<'_>) -> usize {
    let scope = scope_len(resource);
    let scope = if scope == 0 { 0 } else { nested(scope) };
    scope + resource.spans.iter().map(|span| nested(span_len(span))).sum::<usize>()
}

fn scope_len(resource: &ResourceSpans<'_>) -> usize {
    text_len(resource.scope) + attributes_len(resource.scope_attributes)
}

const TRACE_ID_LEN: usize = 18;
const SPAN_ID_LEN: usize = 10;
const TIME_LEN: usize = 9;
const KIND_LEN: usize = 2;

fn span_len(span: &SpanOut<'_>) -> usize {
    let parent = if span.parent.is_some() { SPAN_ID_LEN } else { 0 };
    let status = status_len(span);
    TRACE_ID_LEN
        + SPAN_ID_LEN
        + text_len(span.trace_state)
        + parent
        + text_len(span.name)
        + KIND_LEN
        + 2 * TIME_LEN
        + attributes_len(span.attributes)
        + span.events.iter().map(|event| nested(event_len(event))).sum::<usize>()
        + span.links.len() * nested(TRACE_ID_LEN + SPAN_ID_LEN)
        + if status == 0 { 0 } else { nested(status) }
}

fn status_len(span: &SpanOut<'_>) -> usize {
    text_len(span.status_message) + if span.status == StatusCode::Unset { 0 } else { 2 }
}

fn event_len(event: &EventOut<'_>) -> usize {
    TIME_LEN + text_len(event.name) + attributes_len(event.attributes)
}

fn span(span: &SpanOut<'_>, out: &mut Vec<u8>) {
    bytes(1, &span.trace.0.to_be_bytes(), out);
    bytes(2, &span.id.0.to_be_bytes(), out);
    text(3, span.trace_state, out);
    if span.parent.is_some() {
        bytes(4, &span.parent.0.to_be_bytes(), out);
    }
    text(5, span.name, out);
    out.extend_from_slice(&[6 << 3, kind_number(span.kind)]);
    time(7, span.start_ns, out);
    time(8, span.end_ns, out);
    attributes(span.attributes, 9, out);
    for event in span.events {
        open(11, event_len(event), out);
        time(1, event.time_ns, out);
        text(2, event.name, out);
        attributes(event.attributes, 3, out);
    }
    for link in span.links {
        open(13, TRACE_ID_LEN + SPAN_ID_LEN, out);
        write_link(link, out);
    }
    let status = status_len(span);
    if status > 0 {
        open(15, status, out);
        text(2, span.status_message, out);
        if span.status != StatusCode::Unset {
            out.extend_from_slice(&[3 << 3, span.status as u8]);
        }
    }
}

fn write_link(link: &LinkOut, out: &mut Vec<u8>) {
    bytes(1, &link.trace.0.to_be_bytes(), out);
    bytes(2, &link.id.0.to_be_bytes(), out);
}

fn attributes_len(attributes: &[Attribute<'_>]) -> usize {
    attributes.iter().map(|attribute| nested(attribute_len(attribute))).sum()
}

fn attribute_len((key, value): &Attribute<'_>) -> usize {
    nested(key.len()) + nested(value_len(value))
}

fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Str(text) => nested(text.len()),
        Value::Int(int) => 1 + varint_len(*int as u64),
        Value::Bool(_) => 2,
        Value::Double(_) => TIME_LEN,
    }
}

fn attributes(attributes: &[Attribute<'_>], field: u32, out: &mut Vec<u8>) {
    for attribute in attributes {
        let (key, value) = attribute;
        open(field, attribute_len(attribute), out);
        bytes(1, key.as_bytes(), out);
        open(2, value_len(value), out);
        match value {
            Value::Str(text) => bytes(1, text.as_bytes(), out),
            Value::Bool(flag) => out.extend_from_slice(&[2 << 3, u8::from(*flag)]),
            Value::Int(int) => {
                out.push(3 << 3);
                varint(*int as u64, out);
            }
            Value::Double(number) => {
                out.push(4 << 3 | 1);
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

/// The length of a field of so many bytes, tag and length included. All field numbers are below 16.
fn nested(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// Empty text is not written.
fn text_len(text: &str) -> usize {
    if text.is_empty() { 0 } else { nested(text.len()) }
}

fn text(field: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        bytes(field, text.as_bytes(), out);
    }
}

fn bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    open(field, bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn open(field: u32, length: usize, out: &mut Vec<u8>) {
    debug_assert!(field < 16, "one byte of tag");
    out.push((field << 3 | 2) as u8);
    varint(length as u64, out);
}

fn time(field: u32, time_ns: u64, out: &mut Vec<u8>) {
    out.push((field << 3 | 1) as u8);
    out.extend_from_slice(&time_ns.to_le_bytes());
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}
