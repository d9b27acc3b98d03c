//! Jaeger: `jaeger.api_v2.Span`, as the Collector's Kafka exporter writes one to a record, and `Batch`.
//!
//! Field numbers: jaegertracing/jaeger-idl/proto/api_v2/model.proto.

mod json;

pub(crate) use json::request as json;

use super::draft::{Draft, Link, Slots, Val, span_id};
use super::key::{Key, key};
use super::resource::{Resource, resource};
use super::sink::Sink;
use super::tags::{ErrorTag, Tags, trace_of_bytes};
use super::wire::{Damage, Wire, fields};

/// Reads a record: a span, or a batch of spans.
pub(crate) fn request<'a>(wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    if is_span(wire.0) { span(wire, None, slots, sink) } else { batch(wire, slots, sink) }
}

/// A span begins with its ids, 16 (or 8) and 8 bytes; a batch with a whole span.
pub(crate) fn is_span(bytes: &[u8]) -> bool {
    match bytes {
        [0x0a, length @ (16 | 8), rest @ ..] => {
            rest.get(usize::from(*length)..).is_some_and(|rest| rest.starts_with(&[0x12, 8]))
        }
        _ => false,
    }
}

fn batch<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    // The process stands after its spans.
    let mut shared = None;
    let mut first = wire;
    while !first.is_empty() {
        match first.tag()? {
            0x12 => shared = Some(process(first.message()?, slots, sink)?),
            tag => first.skip(tag, fields(&[2]))?,
        }
    }
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => span(wire.message()?, shared, slots, sink)?,
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

/// Who emitted the spans.
fn process<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<Resource, Damage> {
    sink.begin_resource().map_err(|reason| wire.damage(reason))?;
    slots.clear();
    let mut tags = 0;
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => {
                let name = wire.bytes()?;
                if !name.is_empty() {
                    slots.put(Key::ServiceName, Val::Text(name));
                }
            }
            0x12 => {
                let (name, value) = key_value(wire.message()?)?;
                if sink.attribute_fits(tags)
                    && let Some(key) = key(name)
                    && value != Val::Other
                {
                    slots.put(key, value);
                }
                tags += 1;
            }
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    Ok(resource(slots, &sink.config.identity, sink.work))
}

fn span<'a>(
    whole: Wire<'a>,
    shared: Option<Resource>,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_>,
) -> Result<(), Damage> {
    sink.begin_span().map_err(|reason| whole.damage(reason))?;
    let resource = emitter(whole, shared, slots, sink)?;
    slots.clear();
    let (mut draft, mut tags) = (Draft::default(), Tags::default());
    let (mut start_ns, mut duration_ns) = (0u64, 0u64);
    let mut parent = Parent::default();
    let mut wire = whole;
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => draft.trace = trace_of_bytes(wire.bytes()?),
            0x12 => draft.id = span_id(wire.bytes()?),
            0x1a => slots.put(Key::SpanName, Val::Text(wire.bytes()?)),
            0x22 => parent.take(reference(wire.message()?)?),
            0x32 => start_ns = nanoseconds(wire.message()?)?,
            0x3a => duration_ns = nanoseconds(wire.message()?)?,
            0x42 => {
                let (name, value) = key_value(wire.message()?)?;
                tags.take(name, value, ErrorTag::Flag, &mut draft, slots, sink);
            }
            tag => wire.skip(tag, fields(&[1, 2, 3, 4, 6, 7, 8]))?,
        }
    }
    parent.settle(whole, &mut draft, sink)?;
    draft.start_ns = start_ns;
    draft.end_ns = if start_ns == 0 { 0 } else { start_ns.saturating_add(duration_ns) };
    let first = sink.spans.len();
    sink.finish(&draft, slots, &resource, |slots| exceptions(whole, slots))?;
    sink.mark(first, tags.marks);
    Ok(())
}

/// The span's own process, else that of its batch.
fn emitter<'a>(
    mut wire: Wire<'a>,
    shared: Option<Resource>,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_>,
) -> Result<Resource, Damage> {
    let mut own = None;
    while !wire.is_empty() {
        match wire.tag()? {
            0x52 => own = Some(wire.message()?),
            tag => wire.skip(tag, fields(&[10]))?,
        }
    }
    match (own, shared) {
        (Some(own), _) => process(own, slots, sink),
        (None, Some(shared)) => Ok(shared),
        (None, None) => process(Wire(&[]), slots, sink),
    }
}

/// Which reference is the parent: the first child-of within the trace, else the first follows-from within it.
#[derive(Default)]
pub(super) struct Parent {
    child_of: Option<Link>,
    follows_from: Option<Link>,
}

/// A reference to another span.
pub(super) struct Reference {
    pub(super) link: Link,
    pub(super) follows_from: bool,
}

impl Parent {
    fn take(&mut self, reference: Reference) {
        let place = if reference.follows_from { &mut self.follows_from } else { &mut self.child_of };
        place.get_or_insert(reference.link);
    }

    /// Sets the parent; all other references are links.
    fn settle(self, mut wire: Wire<'_>, draft: &mut Draft, sink: &mut Sink<'_>) -> Result<(), Damage> {
        let mut chosen = choose(self.child_of, self.follows_from, draft);
        while !wire.is_empty() {
            match wire.tag()? {
                0x22 => other(&mut chosen, reference(wire.message()?)?.link, sink),
                tag => wire.skip(tag, fields(&[4]))?,
            }
        }
        Ok(())
    }
}

pub(super) fn choose(child_of: Option<Link>, follows_from: Option<Link>, draft: &mut Draft) -> Option<Link> {
    let inside = |link: &Link| link.trace == draft.trace || link.trace == 0;
    let chosen = child_of.filter(inside).or_else(|| follows_from.filter(inside));
    draft.parent = chosen.map_or(0, |link| link.id);
    chosen
}

/// A reference that is not the parent is a link.
pub(super) fn other(chosen: &mut Option<Link>, link: Link, sink: &mut Sink<'_>) {
    match chosen {
        Some(parent) if (parent.trace, parent.id) == (link.trace, link.id) => *chosen = None,
        _ => sink.link(link),
    }
}

fn reference(mut wire: Wire<'_>) -> Result<Reference, Damage> {
    let mut found = Reference { link: Link::default(), follows_from: false };
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => found.link.trace = trace_of_bytes(wire.bytes()?),
            0x12 => found.link.id = span_id(wire.bytes()?),
            0x18 => found.follows_from = wire.varint()? == 1,
            tag => wire.skip(tag, fields(&[1, 2, 3]))?,
        }
    }
    Ok(found)
}

/// `Timestamp` and `Duration` have the same fields. What is negative is zero.
fn nanoseconds(mut wire: Wire<'_>) -> Result<u64, Damage> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    while !wire.is_empty() {
        match wire.tag()? {
            0x08 => seconds = wire.varint()?.cast_signed(),
            0x10 => nanos = wire.varint()?.cast_signed(),
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    let all = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Ok(u64::try_from(all.max(0)).unwrap_or(u64::MAX))
}

/// A tag: its key and its value by its type.
fn key_value<'a>(mut wire: Wire<'a>) -> Result<(&'a [u8], Val<'a>), Damage> {
    let (mut name, mut kind) = (&[][..], 0);
    let (mut text, mut flag, mut int, mut float) = (&[][..], false, 0, 0.0);
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => name = wire.bytes()?,
            0x10 => kind = wire.varint()?,
            0x1a => text = wire.bytes()?,
            0x20 => flag = wire.varint()? != 0,
            0x28 => int = wire.varint()?.cast_signed(),
            0x31 => float = f64::from_bits(wire.fixed64()?),
            tag => wire.skip(tag, fields(&[1, 2, 3, 4, 5, 6]))?,
        }
    }
    let value = match kind {
        0 => Val::Text(text),
        1 => Val::Bool(flag),
        2 => Val::Int(int),
        3 => Val::Double(float),
        _ => Val::Other,
    };
    Ok((name, value))
}

/// The exception logs of a span that failed.
#[cold]
fn exceptions<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x4a => {
                let mut log = wire.message()?;
                while !log.is_empty() {
                    match log.tag()? {
                        0x12 => {
                            let (name, value) = key_value(log.message()?)?;
                            if let Some(key @ (Key::ExceptionType | Key::ExceptionMessage)) = key(name) {
                                slots.put(key, value);
                            }
                        }
                        tag => log.skip(tag, fields(&[2]))?,
                    }
                }
            }
            tag => wire.skip(tag, 0)?,
        }
    }
    Ok(())
}
