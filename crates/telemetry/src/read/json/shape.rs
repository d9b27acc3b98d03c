//! Objects and lists of the walk: what serde calls a seed and a visitor, once for all shapes.

use super::Walk;
use super::field::{Field, FieldName};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// An object: what is done with its fields. `null` stands for an object that is not there.
pub(super) trait Shape {
    /// What should stand here, for error messages.
    const EXPECTED: &str;

    /// The object begins.
    fn begin<E: Error>(_walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        Ok(())
    }

    /// A field; its value must be taken from `map`.
    fn field<'de, A: MapAccess<'de>>(walk: &mut Walk<'_, '_, 'de>, field: Field, map: &mut A) -> Result<(), A::Error>;

    /// The object is complete.
    fn end<E: Error>(_walk: &mut Walk<'_, '_, '_>) -> Result<(), E> {
        Ok(())
    }
}

/// Reads one object of shape `S`.
pub(super) struct Object<'w, 's, 'r, 'de, S>(&'w mut Walk<'s, 'r, 'de>, PhantomData<S>);

/// Reads a list of objects of shape `S`.
pub(super) struct List<'w, 's, 'r, 'de, S>(&'w mut Walk<'s, 'r, 'de>, PhantomData<S>);

impl<'w, 's, 'r, 'de, S: Shape> Object<'w, 's, 'r, 'de, S> {
    pub(super) fn of(walk: &'w mut Walk<'s, 'r, 'de>) -> Self {
        Object(walk, PhantomData)
    }

    pub(super) fn read<D: Deserializer<'de>>(walk: &'w mut Walk<'s, 'r, 'de>, parser: D) -> Result<(), D::Error> {
        Self::of(walk).deserialize(parser)
    }
}

impl<'w, 's, 'r, 'de, S: Shape> List<'w, 's, 'r, 'de, S> {
    pub(super) fn of(walk: &'w mut Walk<'s, 'r, 'de>) -> Self {
        List(walk, PhantomData)
    }
}

impl<'de, S: Shape> DeserializeSeed<'de> for Object<'_, '_, '_, 'de, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, S: Shape> Visitor<'de> for Object<'_, '_, '_, 'de, S> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(S::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        S::begin(self.0)?;
        while let Some(field) = map.next_key_seed(FieldName)? {
            S::field(self.0, field, &mut map)?;
        }
        S::end(self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de, S: Shape> DeserializeSeed<'de> for List<'_, '_, '_, 'de, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, S: Shape> Visitor<'de> for List<'_, '_, '_, 'de, S> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a list, each {}", S::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Object::<S>::of(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}
