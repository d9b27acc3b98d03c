//! Jaeger's protobuf JSON, as the Collector's Kafka exporter writes it: one `Span` a record, or a `Batch`.
//!
//! Ids in base64 (or hex), times as RFC 3339, durations as seconds with an `s`, fields that are zero left out.

use super::{choose, other};
use crate::PoisonReason;
use crate::read::draft::{Draft, Link, Slots, Val};
use crate::read::json::Broken;
use crate::read::key::{Key, key};
use crate::read::resource::{Resource, resource};
use crate::read::sink::Sink;
use crate::read::tags::{ErrorTag, Tags, hex};
use crate::read::text::{Scalar, broken};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Scalar<'a>,
    #[serde(borrow)]
    span_id: Scalar<'a>,
    #[serde(borrow)]
    operation_name: Scalar<'a>,
    #[serde(borrow)]
    references: Option<Vec<Reference<'a>>>,
    #[serde(borrow)]
    start_time: Scalar<'a>,
    #[serde(borrow)]
    duration: Scalar<'a>,
    #[serde(borrow)]
    tags: Option<Vec<KeyValue<'a>>>,
    #[serde(borrow)]
    logs: Option<Vec<Log<'a>>>,
    #[serde(borrow)]
    process: Option<Process<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Reference<'a> {
    #[serde(borrow)]
    trace_id: Scalar<'a>,
    #[serde(borrow)]
    span_id: Scalar<'a>,
    #[serde(borrow)]
    ref_type: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Scalar<'a>,
    #[serde(borrow)]
    v_type: Scalar<'a>,
    #[serde(borrow)]
    v_str: Scalar<'a>,
    #[serde(borrow)]
    v_bool: Scalar<'a>,
    #[serde(borrow)]
    v_int64: Scalar<'a>,
    #[serde(borrow)]
    v_float64: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Log<'a> {
    #[serde(borrow)]
    fields: Option<Vec<KeyValue<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Process<'a> {
    #[serde(borrow)]
    service_name: Scalar<'a>,
    #[serde(borrow)]
    tags: Option<Vec<KeyValue<'a>>>,
}

/// A batch, of which the process is wanted first.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Emitter<'a> {
    #[serde(borrow)]
    process: Option<Process<'a>>,
}

/// Reads a record: a span, or a batch of spans.
pub(crate) fn request<'de>(text: &'de str, slots: &mut Slots<'de>, sink: &mut Sink<'_>) -> Result<(), Broken> {
    let told = |error: serde_json::Error, reason| broken(text, &error, reason);
    if !is_batch(text) {
        let span: Span<'de> = serde_json::from_str(text).map_err(|error| told(error, None))?;
        return take(span, None, slots, sink).map_err(|reason| Broken { reason, at_byte: 0, detail: String::new() });
    }
    let emitter: Emitter<'de> = serde_json::from_str(text).map_err(|error| told(error, None))?;
    let shared = match emitter.process {
        Some(process) => Some(self::process(process, slots, sink).map_err(|reason| Broken {
            reason,
            at_byte: 0,
            detail: String::new(),
        })?),
        None => None,
    };
    let mut reason = None;
    let mut parser = serde_json::Deserializer::from_str(text);
    let read = Batch { shared, slots, sink, reason: &mut reason }.deserialize(&mut parser).and_then(|()| parser.end());
    read.map_err(|error| told(error, reason))
}

/// The first field of a batch is `spans` or `process`.
fn is_batch(text: &str) -> bool {
    let first = text.trim_start().trim_start_matches('{').trim_start();
    first.starts_with("\"spans\"") || first.starts_with("\"process\":{\"serviceName\"") && text.contains("\"spans\"")
}

/// The spans of a batch, one at a time.
struct Batch<'s, 'r, 'de> {
    shared: Option<Resource>,
    slots: &'s mut Slots<'de>,
    sink: &'s mut Sink<'r>,
    reason: &'s mut Option<PoisonReason>,
}

impl<'de> DeserializeSeed<'de> for Batch<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Batch<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a batch with spans and process")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if field == "spans" {
                map.next_value_seed(Spans(&mut self))?;
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Spans<'b, 's, 'r, 'de>(&'b mut Batch<'s, 'r, 'de>);

impl<'de> DeserializeSeed<'de> for Spans<'_, '_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Spans<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let batch = self.0;
        while let Some(span) = list.next_element::<Span<'de>>()? {
            take(span, batch.shared, batch.slots, batch.sink).map_err(|reason| {
                *batch.reason = Some(reason);
                A::Error::custom("stopped")
            })?;
        }
        Ok(())
    }
}

fn take<'a>(
    span: Span<'a>,
    shared: Option<Resource>,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_>,
) -> Result<(), PoisonReason> {
    sink.begin_span()?;
    let resource = match (span.process, shared) {
        (Some(own), _) => process(own, slots, sink)?,
        (None, Some(shared)) => shared,
        (None, None) => process(Process::default(), slots, sink)?,
    };
    slots.clear();
    let (mut draft, mut tags) = (Draft::default(), Tags::default());
    draft.trace = id(span.trace_id.text(), 16);
    draft.id = id(span.span_id.text(), 8) as u64;
    draft.start_ns = time_ns(span.start_time.text());
    draft.end_ns = match draft.start_ns {
        0 => 0,
        start_ns => start_ns.saturating_add(duration_ns(span.duration.text())),
    };
    let name = span.operation_name.value(slots);
    if name != Val::Other {
        slots.put(Key::SpanName, name);
    }
    for tag in span.tags.into_iter().flatten() {
        let (name, value) = key_value(tag);
        let value = value.value(slots);
        tags.take(name.text().as_bytes(), value, ErrorTag::Flag, &mut draft, slots, sink);
    }
    let references: Vec<(Link, bool)> = span.references.into_iter().flatten().map(|one| reference(&one)).collect();
    let first = |wanted: bool| references.iter().find(|(_, follows)| *follows == wanted).map(|(link, _)| *link);
    let mut chosen = choose(first(false), first(true), &mut draft);
    references.iter().for_each(|(link, _)| other(&mut chosen, *link, sink));
    let start = sink.spans.len();
    let logs = span.logs;
    let finished: Result<(), std::convert::Infallible> = sink.finish(&draft, slots, &resource, |slots| {
        for field in logs.into_iter().flatten().filter_map(|log| log.fields).flatten() {
            let (name, value) = key_value(field);
            if let Some(key @ (Key::ExceptionType | Key::ExceptionMessage)) = key(name.text().as_bytes()) {
                let value = value.value(slots);
                slots.put(key, value);
            }
        }
        Ok(())
    });
    let Ok(()) = finished;
    sink.mark(start, tags.marks);
    Ok(())
}

fn process<'a>(process: Process<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<Resource, PoisonReason> {
    sink.begin_resource()?;
    slots.clear();
    if !process.service_name.text().is_empty() {
        let name = process.service_name.value(slots);
        slots.put(Key::ServiceName, name);
    }
    for (at, tag) in process.tags.into_iter().flatten().enumerate() {
        let (name, value) = key_value(tag);
        if sink.attribute_fits(at)
            && let Some(key) = key(name.text().as_bytes())
            && value != Scalar::Nothing
        {
            let value = value.value(slots);
            slots.put(key, value);
        }
    }
    Ok(resource(slots, &sink.config.identity, sink.work))
}

fn reference(one: &Reference<'_>) -> (Link, bool) {
    let link = Link { trace: id(one.trace_id.text(), 16), id: id(one.span_id.text(), 8) as u64 };
    (link, one.ref_type.text() == "FOLLOWS_FROM" || one.ref_type.int() == Some(1))
}

/// A tag's key and its value by its type; a value that is left out is its type's zero.
fn key_value(tag: KeyValue<'_>) -> (Scalar<'_>, Scalar<'_>) {
    let value = match (tag.v_type.text(), tag.v_type.int()) {
        ("BOOL", _) | (_, Some(1)) => match tag.v_bool {
            Scalar::Bool(flag) => Scalar::Bool(flag),
            _ => Scalar::Bool(false),
        },
        ("INT64", _) | (_, Some(2)) => Scalar::Int(tag.v_int64.int().unwrap_or(0)),
        ("FLOAT64", _) | (_, Some(3)) => match tag.v_float64 {
            Scalar::Double(value) => Scalar::Double(value),
            Scalar::Int(value) => Scalar::Double(value as f64),
            _ => Scalar::Double(0.0),
        },
        ("BINARY", _) | (_, Some(4)) => Scalar::Nothing,
        _ => tag.v_str,
    };
    (tag.key, value)
}

/// An id of so many bytes, in base64 or hex; zero if it is none.
fn id(text: &str, bytes: usize) -> u128 {
    if text.len() == bytes * 2 || (bytes == 16 && text.len() == 16) {
        return hex(text.as_bytes());
    }
    let digits = text.trim_end_matches('=').bytes();
    let mut value: u128 = 0;
    let mut bits = 0;
    for digit in digits {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return 0,
        };
        bits += 6;
        let (taken, over) = (bits.min(bytes * 8), bits.saturating_sub(bytes * 8));
        if over >= 6 {
            return 0;
        }
        let _ = taken;
        value = value << (6 - over) | u128::from(six >> over);
    }
    if bits / 8 == bytes { value } else { 0 }
}

/// RFC 3339 in UTC (`2025-06-15T15:06:40.123456789Z`) or with an offset, as Unix nanoseconds; zero if it is none.
fn time_ns(text: &str) -> u64 {
    parse_time(text).unwrap_or(0)
}

fn parse_time(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let offset_s = match zone {
        "Z" | "z" => 0,
        _ => {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if zone.starts_with('-') { -seconds } else { seconds }
        }
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && (0..24).contains(&hour);
    if !fits || !(0..60).contains(&minute) || !(0..=60).contains(&second) || !(1970..2600).contains(&year) {
        return None;
    }
    // Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(fraction_ns(fraction)?)
}

/// `0.000123s`; zero if it is none, or negative.
fn duration_ns(text: &str) -> u64 {
    let parsed = || {
        let number = text.strip_suffix('s')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction_ns(fraction)?)
    };
    parsed().unwrap_or(0)
}

/// Digits behind the point as nanoseconds.
fn fraction_ns(digits: &str) -> Option<u64> {
    let digits = digits.get(..digits.len().min(9))?;
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = (digits.len()..9).fold(1u64, |scale, _| scale * 10);
    Some(digits.parse::<u64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_durations_and_ids_are_read_as_jsonpb_writes_them() {
        for (text, wanted) in [
            ("2025-06-15T15:06:40Z", 1_750_000_000_000_000_000),
            ("2025-06-15T15:06:40.000000001Z", 1_750_000_000_000_000_001),
            ("2025-06-15T17:06:40.5+02:00", 1_750_000_000_500_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
            ("1970-01-01T00:00:01Z", 1_000_000_000),
            ("yesterday", 0),
            ("2025-13-01T00:00:00Z", 0),
        ] {
            assert_eq!(time_ns(text), wanted, "{text}");
        }
        assert_eq!(
            [duration_ns("0.001s"), duration_ns("3s"), duration_ns("-1s"), duration_ns("x")],
            [1_000_000, 3_000_000_000, 0, 0]
        );
        assert_eq!(id("AAAAAAAAAAAAAAAAAAAAAQ==", 16), 1);
        assert_eq!(id("AAECAwQFBgcICQoLDA0ODw==", 16), 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f);
        assert_eq!(id("AAAAAAAAAAI=", 8), 2);
        assert_eq!(id("00000000000000ff", 8), 255);
        assert_eq!((id("", 8), id("!!", 8), id("AAAA", 8)), (0, 0, 0));
    }
}
