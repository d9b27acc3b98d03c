//! A `KeyValue` of OTLP/JSON.

use super::Walk;
use super::field::{Field, FieldName};
use super::scalar::Scalar;
use super::shape::Shape;
use crate::Oddity;
use crate::read::draft::{Slots, Val, whole};
use crate::read::key::{Key, key};
use crate::reduce::scope_attribute;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// An attribute of a span or a resource.
pub(super) struct OfSpan;
/// An attribute of an instrumentation scope: only its presence is read.
pub(super) struct OfScope;
/// An attribute of an event: only exceptions' are read.
pub(super) struct OfEvent;

impl Shape for OfSpan {
    const EXPECTED: &str = "an attribute with key and value";

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        walk.key = AttributeKey::NotYet;
        walk.value = None;
        Ok(())
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match (field, walk.key) {
            (Field::Key, _) => walk.key = map.next_value_seed(KeyText)?,
            (Field::Value, AttributeKey::Known(_) | AttributeKey::NotYet) => {
                walk.value = map.next_value_seed(AnyValue { slots: walk.slots, arrays: true })?;
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        let fits = walk.sink.attribute_fits(walk.attributes);
        walk.attributes += 1;
        if let (AttributeKey::Known(key), Some(value), true) = (walk.key, walk.value, fits) {
            match value {
                Val::Other => walk.sink.odd(Oddity::AttributeValue),
                value => walk.slots.put(key, value),
            }
        }
        Ok(())
    }
}

impl Shape for OfScope {
    const EXPECTED: &str = OfSpan::EXPECTED;

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Key => {
                if let AttributeKey::Known(key) = map.next_value_seed(KeyText)? {
                    walk.scope_marks = walk.scope_marks.with(scope_attribute(key));
                }
                Ok(())
            }
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Shape for OfEvent {
    const EXPECTED: &str = OfSpan::EXPECTED;

    fn begin<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        OfSpan::begin(walk)
    }

    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error> {
        OfSpan::field(walk, field, map)
    }

    fn end<E: Error>(walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        if let (AttributeKey::Known(key @ (Key::ExceptionType | Key::ExceptionMessage)), Some(value)) =
            (walk.key, walk.value)
        {
            walk.slots.put(key, value);
        }
        Ok(())
    }
}

/// What is known of an attribute's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttributeKey {
    /// It comes after the value.
    NotYet,
    Known(Key),
    /// It is none that is read.
    Unread,
}

struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = AttributeKey;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<AttributeKey, D::Error> {
        parser.deserialize_any(self)
    }
}

impl Visitor<'_> for KeyText {
    type Value = AttributeKey;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an attribute's key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AttributeKey, E> {
        Ok(key(text.as_bytes()).map_or(AttributeKey::Unread, AttributeKey::Known))
    }

    fn visit_unit<E: Error>(self) -> Result<AttributeKey, E> {
        Ok(AttributeKey::Unread)
    }
}

/// An `AnyValue`: `None` if it is empty or null, of an array its first element.
struct AnyValue<'b, 'de> {
    slots: &'b mut Slots<'de>,
    arrays: bool,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_, 'de> {
    type Value = Option<Val<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_, 'de> {
    type Value = Option<Val<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "an object with stringValue, intValue, boolValue, doubleValue, arrayValue, kvlistValue or bytesValue",
        )
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(field) = map.next_key_seed(FieldName)? {
            let value = match field {
                Field::StringValue | Field::IntValue | Field::BoolValue | Field::DoubleValue => {
                    let value = map.next_value_seed(Scalar(&mut self.slots.unescaped))?;
                    value.map(|value| typed(field, value, self.slots))
                }
                Field::ArrayValue if self.arrays => map.next_value_seed(Array { slots: &mut *self.slots })?,
                Field::ArrayValue | Field::OtherValue => map.next_value::<Option<IgnoredAny>>()?.map(|_| Val::Other),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            found = value.or(found);
        }
        Ok(found)
    }
}

/// A value under a name of another type is none: a float is an integer only if it is whole and exact.
fn typed<'de>(field: Field, value: Val<'de>, slots: &Slots<'de>) -> Val<'de> {
    let parsed = || slots.resolve(value).and_then(|text| std::str::from_utf8(text).ok());
    match (field, value) {
        (Field::StringValue, Val::Text(_) | Val::Unescaped(..)) => value,
        (Field::IntValue, Val::Int(_)) => value,
        (Field::IntValue, Val::Double(number)) => whole(number).map_or(Val::Other, Val::Int),
        (Field::IntValue, _) => parsed().and_then(|text| text.parse().ok()).map_or(Val::Other, Val::Int),
        (Field::BoolValue, Val::Bool(_)) => value,
        (Field::DoubleValue, Val::Double(_)) => value,
        (Field::DoubleValue, Val::Int(number)) => Val::Double(number as f64),
        (Field::DoubleValue, _) => parsed().and_then(|text| text.parse().ok()).map_or(Val::Other, Val::Double),
        _ => Val::Other,
    }
}

/// An `ArrayValue`'s first element.
struct Array<'b, 'de> {
    slots: &'b mut Slots<'de>,
}

impl<'de> DeserializeSeed<'de> for Array<'_, 'de> {
    type Value = Option<Val<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Array<'_, 'de> {
    type Value = Option<Val<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with values")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Some(Val::Other);
        while let Some(field) = map.next_key_seed(FieldName)? {
            match field {
                Field::Values => found = map.next_value_seed(Array { slots: &mut *self.slots })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let first = list.next_element_seed(AnyValue { slots: self.slots, arrays: false })?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first.flatten().or(Some(Val::Other)))
    }
}
