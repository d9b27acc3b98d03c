//! OTLP/JSON: hex ids, 64-bit integers as text, enums as numbers, as the specification wants them.

use super::{Attribute, ResourceSpans, SpanOut, StatusCode, Value, kind_number};
use std::io::Write;

/// Appends an `ExportTraceServiceRequest` in OTLP/JSON to `out`, on one line, without a line feed.
pub fn otlp_json_into(resources: &[ResourceSpans<'_>], out: &mut Vec<u8>) {
    raw("{\"resourceSpans\":[", out);
    for (index, resource) in resources.iter().enumerate() {
        comma(index, out);
        raw("{\"resource\":{", out);
        attributes(resource.resource, out);
        raw("},\"scopeSpans\":[{\"scope\":{", out);
        if !resource.scope.is_empty() {
            raw("\"name\":", out);
            text(resource.scope, out);
        }
        if !resource.scope_attributes.is_empty() {
            comma(usize::from(!resource.scope.is_empty()), out);
            attributes(resource.scope_attributes, out);
        }
        raw("},\"spans\":[", out);
        for (index, each) in resource.spans.iter().enumerate() {
            comma(index, out);
            span(each, out);
        }
        raw("]}]}", out);
    }
    raw("]}", out);
}

fn span(span: &SpanOut<'_>, out: &mut Vec<u8>) {
    put(format_args!("{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\"", span.trace.0, span.id.0), out);
    if span.parent.is_some() {
        put(format_args!(",\"parentSpanId\":\"{:016x}\"", span.parent.0), out);
    }
    if !span.trace_state.is_empty() {
        raw(",\"traceState\":", out);
        text(span.trace_state, out);
    }
    raw(",\"name\":", out);
    text(span.name, out);
    let (kind, start_ns, end_ns) = (kind_number(span.kind), span.start_ns, span.end_ns);
    put(format_args!(",\"kind\":{kind},\"startTimeUnixNano\":\"{start_ns}\",\"endTimeUnixNano\":\"{end_ns}\""), out);
    if !span.attributes.is_empty() {
        out.push(b',');
        attributes(span.attributes, out);
    }
    if !span.events.is_empty() {
        raw(",\"events\":[", out);
        for (index, event) in span.events.iter().enumerate() {
            comma(index, out);
            put(format_args!("{{\"timeUnixNano\":\"{}\",\"name\":", event.time_ns), out);
            text(event.name, out);
            out.push(b',');
            attributes(event.attributes, out);
            out.push(b'}');
        }
        out.push(b']');
    }
    if !span.links.is_empty() {
        raw(",\"links\":[", out);
        for (index, link) in span.links.iter().enumerate() {
            comma(index, out);
            put(format_args!("{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\"}}", link.trace.0, link.id.0), out);
        }
        out.push(b']');
    }
    status(span, out);
    out.push(b'}');
}

fn status(span: &SpanOut<'_>, out: &mut Vec<u8>) {
    raw(",\"status\":{", out);
    if !span.status_message.is_empty() {
        raw("\"message\":", out);
        text(span.status_message, out);
    }
    if span.status != StatusCode::Unset {
        comma(span.status_message.len(), out);
        put(format_args!("\"code\":{}", span.status as u8), out);
    }
    out.push(b'}');
}

fn attributes(attributes: &[Attribute<'_>], out: &mut Vec<u8>) {
    raw("\"attributes\":[", out);
    for (index, (key, value)) in attributes.iter().enumerate() {
        comma(index, out);
        raw("{\"key\":", out);
        text(key, out);
        raw(",\"value\":{", out);
        match value {
            Value::Str(value) => {
                raw("\"stringValue\":", out);
                text(value, out);
            }
            Value::Int(value) => put(format_args!("\"intValue\":\"{value}\""), out),
            Value::Bool(value) => put(format_args!("\"boolValue\":{value}"), out),
            // `{:?}` writes a float that reads back as itself; what JSON has no number for is text.
            Value::Double(value) if value.is_finite() => put(format_args!("\"doubleValue\":{value:?}"), out),
            Value::Double(value) if value.is_nan() => raw("\"doubleValue\":\"NaN\"", out),
            Value::Double(value) if *value > 0.0 => raw("\"doubleValue\":\"Infinity\"", out),
            Value::Double(_) => raw("\"doubleValue\":\"-Infinity\"", out),
        }
        raw("}}", out);
    }
    out.push(b']');
}

fn comma(before: usize, out: &mut Vec<u8>) {
    if before > 0 {
        out.push(b',');
    }
}

fn raw(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text always serialises into a Vec");
}

fn put(text: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.write_fmt(text).expect("writing to a Vec cannot fail");
}
