//! Zipkin v2 JSON: a list of spans.

use super::{Endpoint, KINDS, exception, finish, peer, times};
use crate::PoisonReason;
use crate::read::draft::{Draft, Slots, Val};
use crate::read::json::Broken;
use crate::read::key::Key;
use crate::read::sink::Sink;
use crate::read::tags::{ErrorTag, Tags, hex, kind_named};
use crate::read::text::{Scalar, broken, kept};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    parent_id: Scalar<'a>,
    #[serde(borrow)]
    kind: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    duration: Scalar<'a>,
    #[serde(borrow)]
    local_endpoint: Option<Peer<'a>>,
    #[serde(borrow)]
    remote_endpoint: Option<Peer<'a>>,
    #[serde(borrow)]
    annotations: Option<Vec<Annotation<'a>>>,
    #[serde(borrow)]
    tags: TagMap<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Peer<'a> {
    #[serde(borrow)]
    service_name: Scalar<'a>,
    #[serde(borrow)]
    ipv4: Scalar<'a>,
    #[serde(borrow)]
    ipv6: Scalar<'a>,
    #[serde(borrow)]
    port: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Annotation<'a> {
    #[serde(borrow)]
    value: Scalar<'a>,
}

/// Tags in their order.
#[derive(Default)]
struct TagMap<'a>(Vec<(Cow<'a, str>, Scalar<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for TagMap<'a> {
    fn deserialize<D: Deserializer<'de>>(parser: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = TagMap<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TagMap<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Scalar::Text(name)) = map.next_key()? {
                    pairs.push((name, map.next_value()?));
                }
                Ok(TagMap(pairs))
            }

            fn visit_unit<E: Error>(self) -> Result<TagMap<'de>, E> {
                Ok(TagMap::default())
            }
        }
        parser.deserialize_any(Pairs)
    }
}

/// Reads a list of spans.
pub(crate) fn request<'de>(text: &'de str, slots: &mut Slots<'de>, sink: &mut Sink<'_>) -> Result<(), Broken> {
    let mut reason = None;
    let mut parser = serde_json::Deserializer::from_str(text);
    let read = Spans { slots, sink, reason: &mut reason }.deserialize(&mut parser).and_then(|()| parser.end());
    read.map_err(|error| broken(text, &error, reason))
}

/// The spans, one at a time.
struct Spans<'s, 'r, 'de> {
    slots: &'s mut Slots<'de>,
    sink: &'s mut Sink<'r>,
    reason: &'s mut Option<PoisonReason>,
}

impl<'de> DeserializeSeed<'de> for Spans<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Spans<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(span) = list.next_element::<Span<'de>>()? {
            take(span, self.slots, self.sink).map_err(|reason| {
                *self.reason = Some(reason);
                A::Error::custom("stopped")
            })?;
        }
        Ok(())
    }
}

fn take<'a>(span: Span<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), PoisonReason> {
    sink.begin_span()?;
    slots.clear();
    let (mut draft, mut tags) = (Draft::default(), Tags::default());
    draft.trace = hex(span.trace_id.text().as_bytes());
    draft.id = narrow(span.id.text());
    draft.parent = narrow(span.parent_id.text());
    draft.parent_damaged = draft.parent == 0 && span.parent_id.text().bytes().any(|digit| digit != b'0');
    draft.kind = match &span.kind {
        Scalar::Int(number) => usize::try_from(*number).ok().and_then(|kind| KINDS.get(kind)).copied().unwrap_or(-1),
        Scalar::Text(name) => kind_named(name.as_bytes()).unwrap_or(-1),
        _ => 0,
    };
    let name = span.name.value(slots);
    if name != Val::Other {
        slots.put(Key::SpanName, name);
    }
    for (name, value) in span.tags.0 {
        let value = value.value(slots);
        tags.take(name.as_bytes(), value, ErrorTag::Message, &mut draft, slots, sink);
    }
    if let Some(Scalar::Text(name)) = span.local_endpoint.map(|local| local.service_name)
        && !name.is_empty()
    {
        let value = kept(name, slots);
        slots.put(Key::ServiceName, value);
    }
    if let Some(remote) = &span.remote_endpoint {
        let ip = [&remote.ipv4, &remote.ipv6].map(Scalar::text).into_iter().find(|ip| !ip.is_empty());
        let service = remote.service_name.text().as_bytes();
        peer(Endpoint { service, ip: ip.map(str::to_owned), port: remote.port.int().unwrap_or(0) }, slots);
    }
    let us = |value: &Scalar<'_>| value.int().and_then(|us| u64::try_from(us).ok()).unwrap_or(0);
    times(us(&span.timestamp), us(&span.duration), &mut draft);
    let annotations = span.annotations;
    let finished: Result<(), std::convert::Infallible> = finish(&draft, tags, slots, sink, |slots| {
        annotations.into_iter().flatten().for_each(|one| exception(one.value.text().as_bytes(), slots));
        Ok(())
    });
    let Ok(()) = finished;
    Ok(())
}

/// A span's id: 16 hex digits at most.
fn narrow(text: &str) -> u64 {
    if text.len() > 16 { 0 } else { hex(text.as_bytes()) as u64 }
}
