//! Zipkin v2: `zipkin.proto3.ListOfSpans`, and its JSON.
//!
//! Field numbers: openzipkin/zipkin-api/zipkin.proto. What stands in a resource elsewhere stands among a span's tags here.

mod json;

pub(crate) use json::request as json;

use super::draft::{Draft, Slots, Val, span_id};
use super::key::{Key, key};
use super::resource::resource;
use super::sink::Sink;
use super::tags::{ErrorTag, Tags, trace_of_bytes};
use super::text::{Scalar, kept};
use super::wire::{Damage, Wire, fields};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// By the numbers of `Span.Kind`, as OpenTelemetry's.
const KINDS: [i32; 5] = [0, 3, 2, 4, 5];

/// Reads a list of spans.
pub(crate) fn request<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => span(wire.message()?, slots, sink)?,
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

fn span<'a>(whole: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Damage> {
    sink.begin_span().map_err(|reason| whole.damage(reason))?;
    slots.clear();
    let (mut draft, mut tags) = (Draft::default(), Tags::default());
    let (mut start_us, mut duration_us) = (0u64, 0u64);
    let (mut local, mut remote) = (Endpoint::default(), Endpoint::default());
    let mut wire = whole;
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => draft.trace = trace_of_bytes(wire.bytes()?),
            0x12 => {
                let bytes = wire.bytes()?;
                draft.parent = span_id(bytes);
                draft.parent_damaged = !matches!(bytes.len(), 0 | 8);
            }
            0x1a => draft.id = span_id(wire.bytes()?),
            0x20 => {
                draft.kind =
                    usize::try_from(wire.varint()?).ok().and_then(|kind| KINDS.get(kind)).copied().unwrap_or(-1)
            }
            0x2a => slots.put(Key::SpanName, Val::Text(wire.bytes()?)),
            0x31 => start_us = wire.fixed64()?,
            0x38 => duration_us = wire.varint()?,
            0x42 => local = endpoint(wire.message()?)?,
            0x4a => remote = endpoint(wire.message()?)?,
            0x5a => {
                let (name, value) = tag(wire.message()?)?;
                tags.take(name, Val::Text(value), ErrorTag::Message, &mut draft, slots, sink);
            }
            tag => wire.skip(tag, fields(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 11]))?,
        }
    }
    if !local.service.is_empty() {
        slots.put(Key::ServiceName, Val::Text(local.service));
    }
    peer(remote, slots);
    times(start_us, duration_us, &mut draft);
    finish(&draft, tags, slots, sink, |slots| exceptions(whole, slots))
}

/// The peer's name, or its address, unless tags say it better.
fn peer(remote: Endpoint<'_>, slots: &mut Slots<'_>) {
    if !remote.service.is_empty() && slots.first_text(&[Key::ServicePeerName, Key::PeerService]).is_none() {
        let value = kept(Cow::Owned(String::from_utf8_lossy(remote.service).into_owned()), slots);
        slots.put(Key::PeerService, value);
    }
    if let Some(ip) = remote.ip
        && slots.text(Key::NetPeerIp).is_none()
    {
        let value = kept(Cow::Owned(ip), slots);
        slots.put(Key::NetPeerIp, value);
    }
    if remote.port > 0 && slots.int(Key::NetPeerPort).is_none() {
        slots.put(Key::NetPeerPort, Val::Int(remote.port));
    }
}

/// Microseconds to nanoseconds; a span without a start has no event time.
fn times(start_us: u64, duration_us: u64, draft: &mut Draft) {
    draft.start_ns = start_us.saturating_mul(1000);
    draft.end_ns = if start_us == 0 { 0 } else { start_us.saturating_add(duration_us).saturating_mul(1000) };
}

fn finish<'a, E>(
    draft: &Draft,
    tags: Tags,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_>,
    exceptions: impl FnOnce(&mut Slots<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let resource = resource(slots, &sink.config.identity, sink.work);
    let first = sink.spans.len();
    sink.finish(draft, slots, &resource, exceptions)?;
    sink.mark(first, tags.marks);
    Ok(())
}

#[derive(Clone, Debug, Default)]
struct Endpoint<'a> {
    service: &'a [u8],
    ip: Option<String>,
    port: i64,
}

fn endpoint<'a>(mut wire: Wire<'a>) -> Result<Endpoint<'a>, Damage> {
    let mut found = Endpoint::default();
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => found.service = wire.bytes()?,
            0x12 => {
                let ip = <[u8; 4]>::try_from(wire.bytes()?);
                found.ip = ip.ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string());
            }
            0x1a => {
                let ip = <[u8; 16]>::try_from(wire.bytes()?);
                found.ip = ip.ok().map(|ip| std::net::Ipv6Addr::from(ip).to_string()).or(found.ip);
            }
            0x20 => found.port = i64::try_from(wire.varint()?).unwrap_or(0),
            tag => wire.skip(tag, fields(&[1, 2, 3, 4]))?,
        }
    }
    Ok(found)
}

fn tag<'a>(mut wire: Wire<'a>) -> Result<(&'a [u8], &'a [u8]), Damage> {
    let (mut name, mut value) = (&[][..], &[][..]);
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => name = wire.bytes()?,
            0x12 => value = wire.bytes()?,
            tag => wire.skip(tag, fields(&[1, 2]))?,
        }
    }
    Ok((name, value))
}

#[cold]
fn exceptions<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x52 => {
                let mut annotation = wire.message()?;
                while !annotation.is_empty() {
                    match annotation.tag()? {
                        0x12 => exception(annotation.bytes()?, slots),
                        tag => annotation.skip(tag, fields(&[2]))?,
                    }
                }
            }
            tag => wire.skip(tag, 0)?,
        }
    }
    Ok(())
}

/// `exception|{"exception.type":"…"}|0`: an event with attributes, as OpenTelemetry writes it.
fn exception(annotation: &[u8], slots: &mut Slots<'_>) {
    let Some((_, rest)) = std::str::from_utf8(annotation).ok().and_then(|text| text.split_once('|')) else { return };
    let attributes = rest.rsplit_once('|').map_or(rest, |(attributes, _)| attributes);
    let Ok(attributes) = serde_json::from_str::<BTreeMap<Cow<'_, str>, Scalar<'_>>>(attributes) else { return };
    for (name, value) in attributes {
        if let (Some(key @ (Key::ExceptionType | Key::ExceptionMessage)), Scalar::Text(text)) =
            (key(name.as_bytes()), value)
        {
            let value = kept(Cow::Owned(text.into_owned()), slots);
            slots.put(key, value);
        }
    }
}
