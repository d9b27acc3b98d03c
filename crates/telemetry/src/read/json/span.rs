//! A span of OTLP/JSON, with its events, links and status.

use super::Walk;
use super::attribute::{OfEvent, OfSpan};
use super::field::Field;
use super::scalar::{Scalar, hex, number, time};
use super::shape::{List, Object, Shape};
use crate::read::draft::{Draft, Link, Val};
use crate::read::key::Key;
use serde::de::{Error, IgnoredAny, MapAccess};
use std::convert::Infallible;

const TRACE_DIGITS: usize = 32;
const SPAN_DIGITS: usize = 16;

pub(super) struct Span;
struct Event;
struct LinkObject;
struct Status;

impl Shape for Span {
    const EXPECTED: &str = "a span";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.sink.begin_span().map_err(|reason| walk.stop(reason))?;
        walk.slots.clear();
        walk.draft = Draft::default();
        walk.attributes = 0;
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Attributes => return map.next_value_seed(List::<OfSpan>::of(walk)),
            Field::Events => return map.next_value_seed(List::<Event>::of(walk)),
            Field::Links => return map.next_value_seed(List::<LinkObject>::of(walk)),
            Field::Status => return map.next_value_seed(Object::<Status>::of(walk)),
            Field::TraceId
            | Field::SpanId
            | Field::ParentSpanId
            | Field::TraceState
            | Field::Name
            | Field::Kind
            | Field::Start
            | Field::End => {}
            _ => return map.next_value::<IgnoredAny>().map(|_| ()),
        }
        let value = map.next_value_seed(Scalar(&mut walk.slots.unescaped))?;
        match field {
            Field::TraceId => walk.draft.trace = hex(value, walk.slots, TRACE_DIGITS),
            Field::SpanId => walk.draft.id = hex(value, walk.slots, SPAN_DIGITS) as u64,
            Field::ParentSpanId => {
                walk.draft.parent = hex(value, walk.slots, SPAN_DIGITS) as u64;
                let text = value.and_then(|value| walk.slots.resolve(value));
                walk.draft.parent_damaged = walk.draft.parent == 0
                    && match text {
                        Some(text) => {
                            !text.iter().all(|digit| *digit == b'0') || !matches!(text.len(), 0 | SPAN_DIGITS)
                        }
                        None => value.is_some(),
                    };
            }
            Field::Kind => walk.draft.kind = number(value, walk.slots, "SPAN_KIND_", &KINDS),
            Field::Start => walk.draft.start_ns = time(value, walk.slots),
            Field::End => walk.draft.end_ns = time(value, walk.slots),
            Field::TraceState => walk.put_text(Key::TraceState, value),
            _ => walk.put_text(Key::SpanName, value),
        }
        Ok(())
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        let resource = walk.known_resource();
        let draft = walk.draft;
        match walk.sink.finish(&draft, walk.slots, &resource, |_| Ok::<(), Infallible>(())) {
            Ok(()) => Ok(()),
        }
    }
}

/// By their numbers.
const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUSES: [&str; 3] = ["UNSET", "OK", "ERROR"];

impl<'de> Walk<'_, '_, 'de> {
    fn put_text(&mut self, key: Key, value: Option<Val<'de>>) {
        if let Some(value @ (Val::Text(_) | Val::Unescaped(..))) = value
            && self.slots.resolve(value).is_some_and(|text| !text.is_empty())
        {
            self.slots.put(key, value);
        }
    }
}

impl Shape for Event {
    const EXPECTED: &str = "an event";

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Attributes => map.next_value_seed(List::<OfEvent>::of(walk)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Shape for LinkObject {
    const EXPECTED: &str = "a link";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.link = Link::default();
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::TraceId => {
                let value = map.next_value_seed(Scalar(&mut walk.slots.unescaped))?;
                walk.link.trace = hex(value, walk.slots, TRACE_DIGITS);
            }
            Field::SpanId => {
                let value = map.next_value_seed(Scalar(&mut walk.slots.unescaped))?;
                walk.link.id = hex(value, walk.slots, SPAN_DIGITS) as u64;
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.sink.link(walk.link);
        Ok(())
    }
}

impl Shape for Status {
    const EXPECTED: &str = "a status";

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Code => {
                let value = map.next_value_seed(Scalar(&mut walk.slots.unescaped))?;
                walk.draft.status = number(value, walk.slots, "STATUS_CODE_", &STATUSES);
            }
            Field::Message => {
                let value = map.next_value_seed(Scalar(&mut walk.slots.unescaped))?;
                walk.put_text(Key::StatusMessage, value);
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
