//! The walker over OTLP protobuf: borrowed, one pass, of fixed depth.
//!
//! `ExportTraceServiceRequest` and `TracesData` have the same bytes. Field numbers:
//! opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto.

use super::draft::{Draft, Link, Slots, Val, span_id, trace_id};
use super::key::{Key, key};
use super::resource::{Resource, resource};
use super::sink::Sink;
use super::wire::{Damage, FIXED64, LEN, VARINT, Wire, fields};
use crate::Oddity;
use crate::reduce::{scope_attribute, scope_name};
use model::SpanFlags;

const fn tag(number: u32, wire_type: u32) -> u32 {
    number << 3 | wire_type
}

/// Reads a request.
pub(crate) fn request<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => {
                let message = wire.message()?;
                sink.begin_resource().map_err(|reason| message.damage(reason))?;
                resource_spans(message, slots, sink)?;
            }
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

fn resource_spans<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    // The resource may stand after its spans.
    slots.clear();
    let mut first = wire;
    while !first.is_empty() {
        match first.tag()? {
            0x0a => resource_attributes(first.message()?, slots, sink)?,
            tag => first.skip(tag, fields(&[1]))?,
        }
    }
    let resource = resource(slots, &sink.config.identity, sink.work);
    while !wire.is_empty() {
        match wire.tag()? {
            0x12 => scope_spans(wire.message()?, slots, &resource, sink)?,
            tag => wire.skip(tag, fields(&[2]))?,
        }
    }
    Ok(())
}

fn resource_attributes<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    let mut attributes = 0;
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => {
                let message = wire.message()?;
                if sink.attribute_fits(attributes) {
                    attribute(message, slots, sink)?;
                }
                attributes += 1;
            }
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

/// A span of more bytes has long values that are passed over. What follows each would come from memory only when its length
/// is known, one after the other: so all of it is fetched beforehand, as much as a cache surely holds.
const LONG_BYTES: usize = 1024;
const AHEAD_BYTES: usize = 64 << 10;

fn scope_spans<'a>(
    mut wire: Wire<'a>,
    slots: &mut Slots<'a>,
    resource: &Resource,
    sink: &mut Sink<'_>,
) -> Result<(), Damage> {
    let first = sink.spans.len();
    let mut marks = SpanFlags::default();
    let mut unfetched = usize::MAX;
    while !wire.is_empty() {
        match wire.tag()? {
            0x12 => {
                let here = wire;
                let message = wire.message()?;
                if message.0.len() >= LONG_BYTES && wire.0.len() < unfetched {
                    unfetched = here.fetch(AHEAD_BYTES);
                }
                span(message, slots, resource, sink)?;
            }
            0x0a => marks = marks.with(scope(wire.message()?)?),
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    sink.mark(first, marks);
    Ok(())
}

/// What a scope says of all its spans.
fn scope(mut wire: Wire<'_>) -> Result<SpanFlags, Damage> {
    let mut marks = SpanFlags::default();
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => marks = marks.with(scope_name(wire.bytes()?)),
            0x1a => {
                let (name, _) = key_value(wire.message()?)?;
                marks = marks.with(key(name).map_or(SpanFlags::default(), scope_attribute));
            }
            tag => wire.skip(tag, fields(&[1, 3]))?,
        }
    }
    Ok(marks)
}

const TRACE_ID: u32 = tag(1, LEN);
const SPAN_ID: u32 = tag(2, LEN);
const TRACE_STATE: u32 = tag(3, LEN);
const PARENT: u32 = tag(4, LEN);
const NAME: u32 = tag(5, LEN);
const KIND: u32 = tag(6, VARINT);
const START: u32 = tag(7, FIXED64);
const END: u32 = tag(8, FIXED64);
const ATTRIBUTE: u32 = tag(9, LEN);
const EVENT: u32 = tag(11, LEN);
const LINK: u32 = tag(13, LEN);
const STATUS: u32 = tag(15, LEN);
const SPAN_FIELDS: u32 = fields(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15]);

#[inline]
fn span<'a>(whole: Wire<'a>, slots: &mut Slots<'a>, resource: &Resource, sink: &mut Sink<'_>) -> Result<(), Damage> {
    sink.begin_span().map_err(|reason| whole.damage(reason))?;
    slots.clear();
    let mut draft = Draft::default();
    let mut attributes = 0;
    let mut wire = usual_beginning(whole, &mut draft, slots);
    while !wire.is_empty() {
        match wire.tag()? {
            // After one comes mostly another: a branch that is foreseen better than a jump.
            ATTRIBUTE => loop {
                let message = wire.message()?;
                if sink.attribute_fits(attributes) {
                    attribute(message, slots, sink)?;
                }
                attributes += 1;
                match *wire.0 {
                    [tag, ref rest @ ..] if u32::from(tag) == ATTRIBUTE => wire = Wire(rest),
                    _ => break,
                }
            },
            TRACE_ID => draft.trace = trace_id(wire.bytes()?),
            SPAN_ID => draft.id = span_id(wire.bytes()?),
            PARENT => {
                let bytes = wire.bytes()?;
                draft.parent = span_id(bytes);
                draft.parent_damaged = !matches!(bytes.len(), 0 | 8);
            }
            NAME => slots.put(Key::SpanName, Val::Text(wire.bytes()?)),
            KIND => draft.kind = wire.varint()? as i32,
            START => draft.start_ns = wire.fixed64()?,
            END => draft.end_ns = wire.fixed64()?,
            STATUS => status(wire.message()?, &mut draft, slots)?,
            TRACE_STATE => {
                let state = wire.bytes()?;
                if !state.is_empty() {
                    slots.put(Key::TraceState, Val::Text(state));
                }
            }
            LINK => sink.link(link(wire.message()?)?),
            EVENT => {
                wire.bytes()?;
            }
            tag => wire.skip(tag, SPAN_FIELDS)?,
        }
    }
    sink.finish(&draft, slots, resource, |slots| exceptions(whole, slots))
}

/// Reads the fields that a span begins with as every SDK writes them, in the order of their numbers: so nothing has to be
/// decided for each. Gives what follows, from the first field that stands otherwise.
#[inline(always)]
fn usual_beginning<'a>(whole: Wire<'a>, draft: &mut Draft, slots: &mut Slots<'a>) -> Wire<'a> {
    let Some(([0x0a, 16, trace @ ..], rest)) = whole.0.split_first_chunk::<18>() else { return whole };
    draft.trace = u128::from_be_bytes(*trace);
    let Some(([0x12, 8, id @ ..], mut rest)) = rest.split_first_chunk::<10>() else { return Wire(rest) };
    draft.id = u64::from_be_bytes(*id);
    if let Some(([0x22, 8, parent @ ..], after)) = rest.split_first_chunk::<10>() {
        draft.parent = u64::from_be_bytes(*parent);
        rest = after;
    }
    let [0x2a, length @ ..0x80, named @ ..] = rest else { return Wire(rest) };
    let Some((name, after)) = named.split_at_checked(usize::from(*length)) else { return Wire(rest) };
    slots.put(Key::SpanName, Val::Text(name));
    let [0x30, kind @ ..0x80, rest @ ..] = after else { return Wire(after) };
    draft.kind = i32::from(*kind);
    let Some(([0x39, start @ ..], rest)) = rest.split_first_chunk::<9>() else { return Wire(rest) };
    draft.start_ns = u64::from_le_bytes(*start);
    let Some(([0x41, end @ ..], rest)) = rest.split_first_chunk::<9>() else { return Wire(rest) };
    draft.end_ns = u64::from_le_bytes(*end);
    Wire(rest)
}

fn status<'a>(mut wire: Wire<'a>, draft: &mut Draft, slots: &mut Slots<'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x12 => slots.put(Key::StatusMessage, Val::Text(wire.bytes()?)),
            0x18 => draft.status = wire.varint()? as i32,
            tag => wire.skip(tag, fields(&[2, 3]))?,
        }
    }
    Ok(())
}

fn link(mut wire: Wire<'_>) -> Result<Link, Damage> {
    let mut link = Link::default();
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => link.trace = trace_id(wire.bytes()?),
            0x12 => link.id = span_id(wire.bytes()?),
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    Ok(link)
}

/// The exception events of a span that failed.
#[cold]
fn exceptions<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            EVENT => {
                let mut event = wire.message()?;
                while !event.is_empty() {
                    match event.tag()? {
                        0x1a => exception_attribute(event.message()?, slots)?,
                        tag => event.skip(tag, fields(&[3]))?,
                    }
                }
            }
            tag => wire.skip(tag, 0)?,
        }
    }
    Ok(())
}

fn exception_attribute<'a>(wire: Wire<'a>, slots: &mut Slots<'a>) -> Result<(), Damage> {
    let (name, value) = key_value(wire)?;
    if let Some(key @ (Key::ExceptionType | Key::ExceptionMessage)) = key(name)
        && let Some(text @ Val::Text(_)) = any_value(value)?
    {
        slots.put(key, text);
    }
    Ok(())
}

/// An attribute of a span or resource: kept if it is one that is read.
#[inline(always)]
fn attribute<'a>(wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    let (name, value) = key_value(wire)?;
    let Some(key) = key(name) else { return Ok(()) };
    // What nearly all are is put where it belongs at once: passed on as a value it would be copied piece by piece.
    match *value.0 {
        [0x0a, length, ref text @ ..] if usize::from(length) == text.len() && length < 0x80 => {
            slots.put(key, Val::Text(text));
        }
        [0x18, int] if int < 0x80 => slots.put(key, Val::Int(i64::from(int))),
        [0x18, low, high] if low >= 0x80 && high < 0x80 => {
            slots.put(key, Val::Int(i64::from(low & 0x7f) | i64::from(high) << 7));
        }
        _ => return other_attribute(key, value, slots, sink),
    }
    Ok(())
}

#[inline(never)]
fn other_attribute<'a>(key: Key, value: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    match any_value(value)? {
        Some(Val::Other) => sink.odd(Oddity::AttributeValue),
        Some(value) => slots.put(key, value),
        None => {}
    }
    Ok(())
}

/// A `KeyValue`'s key and the bytes of its `AnyValue`.
#[inline(always)]
pub(crate) fn key_value<'a>(wire: Wire<'a>) -> Result<(&'a [u8], Wire<'a>), Damage> {
    // As every exporter writes it: the key, then the value, both lengths in one byte.
    if let [0x0a, key_length, rest @ ..] = wire.0
        && let Some((key, [0x12, value_length, value @ ..])) = rest.split_at_checked(*key_length as usize)
        && *key_length < 0x80
        && *value_length as usize == value.len()
        && *value_length < 0x80
    {
        return Ok((key, Wire(value)));
    }
    any_key_value(wire)
}

#[inline(never)]
fn any_key_value<'a>(mut wire: Wire<'a>) -> Result<(&'a [u8], Wire<'a>), Damage> {
    let (mut key, mut value) = (&[][..], Wire(&[]));
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => key = wire.bytes()?,
            0x12 => value = wire.message()?,
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    Ok((key, value))
}

/// An `AnyValue`; `None` if it is empty. Of an array the first element; other composites are [`Val::Other`].
#[inline(always)]
pub(crate) fn any_value<'a>(wire: Wire<'a>) -> Result<Option<Val<'a>>, Damage> {
    if let [0x0a, length, text @ ..] = wire.0
        && *length as usize == text.len()
        && *length < 0x80
    {
        return Ok(Some(Val::Text(text)));
    }
    if let [0x18, int] = wire.0
        && *int < 0x80
    {
        return Ok(Some(Val::Int(i64::from(*int))));
    }
    other_value(wire, true)
}

#[inline(never)]
fn other_value(mut wire: Wire<'_>, arrays: bool) -> Result<Option<Val<'_>>, Damage> {
    let mut value = None;
    while !wire.is_empty() {
        value = Some(match wire.tag()? {
            0x0a => Val::Text(wire.bytes()?),
            0x10 => Val::Bool(wire.varint()? != 0),
            0x18 => Val::Int(wire.varint()? as i64),
            0x21 => Val::Double(f64::from_bits(wire.fixed64()?)),
            0x2a => {
                let array = wire.message()?;
                match arrays {
                    true => first_element(array)?.unwrap_or(Val::Other),
                    false => Val::Other,
                }
            }
            tag => {
                wire.skip(tag, fields(&[1, 2, 3, 4, 5]))?;
                Val::Other
            }
        });
    }
    Ok(value)
}

fn first_element(mut wire: Wire<'_>) -> Result<Option<Val<'_>>, Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => return other_value(wire.message()?, false),
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(None)
}
