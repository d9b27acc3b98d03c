//! The walker over OTLP/JSON: serde_json drives, each object is reduced while it streams by, no tree is built.
//!
//! Legal and odd alike: field names in camelCase and snake_case, `null` for anything, unknown fields, 64-bit integers
//! as text or number, enums as number or name, ids in hex of either case, objects' fields in any order.

mod attribute;
mod field;
mod scalar;
mod shape;
mod span;

use super::draft::Slots;
use super::key::Key;
use super::resource::{Resource, resource};
use super::sink::Sink;
use crate::PoisonReason;
use crate::reduce::scope_name;
use field::Field;
use model::SpanFlags;
use serde::de::{Error, IgnoredAny, MapAccess};
use serde_json::Deserializer;
use shape::{List, Object, Shape};

/// Why a record is no OTLP/JSON: the reason, the byte, and the parser's words.
pub(crate) struct Broken {
    pub(crate) reason: PoisonReason,
    pub(crate) at_byte: usize,
    pub(crate) detail: String,
}

/// What is known while the text streams by.
struct Walk<'s, 'r, 'de> {
    slots: &'s mut Slots<'de>,
    sink: &'s mut Sink<'r>,
    pass: Pass,
    /// The resource of the spans that come next; `None` until it was met.
    resource: Option<Resource>,
    /// Spans met when this resource began.
    met_before: usize,
    draft: super::draft::Draft,
    attributes: usize,
    key: attribute::AttributeKey,
    value: Option<super::draft::Val<'de>>,
    link: super::draft::Link,
    /// The length of the sink's spans when this scope began.
    scope_starts: usize,
    /// What this scope says of all its spans.
    scope_marks: SpanFlags,
    reason: Option<PoisonReason>,
}

/// A resource that stands after its spans would need them again: then the resources are read first, in a pass of their
/// own.
enum Pass {
    /// Resources as they come.
    Only,
    /// A resource came after its spans.
    Failed,
    /// Resources only.
    First(Vec<Resource>),
    /// Spans, with the resources of the first pass.
    Second(Vec<Resource>),
}

/// Reads a request. Where a resource stands after its spans, the text is read again.
pub(crate) fn request<'de>(text: &'de str, slots: &mut Slots<'de>, sink: &mut Sink<'_>) -> Result<(), Broken> {
    let mut walk = Walk::new(slots, sink, Pass::Only);
    match walk.run(text) {
        Ok(()) => return Ok(()),
        Err(broken) if !matches!(walk.pass, Pass::Failed) => return Err(broken),
        Err(_) => {}
    }
    sink.rewind();
    let mut walk = Walk::new(slots, sink, Pass::First(Vec::new()));
    walk.run(text)?;
    let Pass::First(resources) = walk.pass else { return Ok(()) };
    sink.resources = 0;
    Walk::new(slots, sink, Pass::Second(resources)).run(text)
}

impl<'s, 'r, 'de> Walk<'s, 'r, 'de> {
    fn new(slots: &'s mut Slots<'de>, sink: &'s mut Sink<'r>, pass: Pass) -> Self {
        Walk {
            slots,
            sink,
            pass,
            resource: None,
            met_before: 0,
            draft: Default::default(),
            attributes: 0,
            key: attribute::AttributeKey::Unread,
            value: None,
            link: Default::default(),
            scope_starts: 0,
            scope_marks: SpanFlags::default(),
            reason: None,
        }
    }

    fn run(&mut self, text: &'de str) -> Result<(), Broken> {
        let mut parser = Deserializer::from_str(text);
        let read = Object::<Request>::read(self, &mut parser).and_then(|()| parser.end());
        read.map_err(|error| Broken {
            reason: self.reason.unwrap_or(PoisonReason::Json),
            at_byte: byte_of(text, error.line(), error.column()),
            detail: if self.reason.is_some() { String::new() } else { shortened(error.to_string()) },
        })
    }

    /// Stops the parser for a reason that is not its own.
    fn stop<E: Error>(&mut self, reason: PoisonReason) -> E {
        self.reason = Some(reason);
        E::custom("stopped")
    }
}

struct Request;
struct ResourceSpans;
struct ResourceObject;
struct ScopeSpans;
struct Scope;

impl Shape for Request {
    const EXPECTED: &str = "an object with resourceSpans";

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::ResourceSpans => map.next_value_seed(List::<ResourceSpans>::of(walk)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Shape for ResourceSpans {
    const EXPECTED: &str = "an object with resource and scopeSpans";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.sink.begin_resource().map_err(|reason| walk.stop(reason))?;
        walk.met_before = walk.sink.met;
        walk.resource = match &walk.pass {
            Pass::Second(resources) => resources.get(walk.sink.resources - 1).copied(),
            _ => None,
        };
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match (field, &walk.pass) {
            (Field::Resource, Pass::Only | Pass::First(_)) => map.next_value_seed(Object::<ResourceObject>::of(walk)),
            (Field::ScopeSpans, Pass::Only | Pass::Second(_)) => {
                walk.known_resource();
                map.next_value_seed(List::<ScopeSpans>::of(walk))
            }
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        if matches!(walk.pass, Pass::First(_)) {
            let known = walk.known_resource();
            if let Pass::First(resources) = &mut walk.pass {
                resources.push(known);
            }
        }
        Ok(())
    }
}

impl Walk<'_, '_, '_> {
    /// The resource that was met, or that of spans without one.
    fn known_resource(&mut self) -> Resource {
        if let Some(known) = self.resource {
            return known;
        }
        self.slots.clear();
        let unknown = resource(self.slots, &self.sink.config.identity, self.sink.work);
        *self.resource.insert(unknown)
    }
}

impl Shape for ResourceObject {
    const EXPECTED: &str = "a resource";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        if matches!(walk.pass, Pass::Only) && walk.sink.met > walk.met_before {
            walk.pass = Pass::Failed;
            return Err(E::custom("a resource after its spans"));
        }
        walk.slots.clear();
        walk.attributes = 0;
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Attributes => map.next_value_seed(List::<attribute::OfSpan>::of(walk)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.resource = Some(resource(walk.slots, &walk.sink.config.identity, walk.sink.work));
        Ok(())
    }
}

impl Shape for ScopeSpans {
    const EXPECTED: &str = "an object with scope and spans";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.scope_starts = walk.sink.spans.len();
        walk.scope_marks = SpanFlags::default();
        Ok(())
    }

    // The scope may stand after its spans.
    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.sink.mark(walk.scope_starts, walk.scope_marks);
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Spans => map.next_value_seed(List::<span::Span>::of(walk)),
            Field::Scope => map.next_value_seed(Object::<Scope>::of(walk)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Shape for Scope {
    const EXPECTED: &str = "a scope";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.slots.clear();
        walk.attributes = 0;
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Name => {
                if let Some(value) = map.next_value_seed(scalar::Scalar(&mut walk.slots.unescaped))? {
                    walk.slots.put(Key::SpanName, value);
                }
                Ok(())
            }
            Field::Attributes => map.next_value_seed(List::<attribute::OfScope>::of(walk)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        if let Some(name) = walk.slots.text(Key::SpanName) {
            walk.scope_marks = walk.scope_marks.with(scope_name(name));
        }
        Ok(())
    }
}

/// Where a line and a column (both from 1, the column in bytes) are in the text.
pub(crate) fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

pub(crate) fn shortened(mut detail: String) -> String {
    const BYTES_MAX: usize = 200;
    if detail.len() > BYTES_MAX {
        let mut end = BYTES_MAX;
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
        detail.push('…');
    }
    detail
}
