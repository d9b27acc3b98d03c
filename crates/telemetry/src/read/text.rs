//! Texts and scalars of Jaeger's and Zipkin's JSON: borrowed where nothing is escaped, lenient where writers differ.

use super::draft::{Slots, Val};
use super::json::Broken;
use crate::PoisonReason;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A text, a number, a flag, or `null`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// The text, if it is one; else nothing.
    pub(crate) fn text(&self) -> &str {
        match self {
            Scalar::Text(text) => text,
            _ => "",
        }
    }

    /// A whole number, also from its text.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Scalar::Int(value) => Some(*value),
            Scalar::Double(value) => super::draft::whole(*value),
            Scalar::Text(text) => text.parse().ok(),
            Scalar::Nothing | Scalar::Bool(_) => None,
        }
    }

    /// The value as an attribute has it.
    pub(crate) fn value(self, slots: &mut Slots<'a>) -> Val<'a> {
        match self {
            Scalar::Nothing => Val::Other,
            Scalar::Text(text) => kept(text, slots),
            Scalar::Int(value) => Val::Int(value),
            Scalar::Double(value) => Val::Double(value),
            Scalar::Bool(value) => Val::Bool(value),
        }
    }
}

/// A text as a value: borrowed, or kept where it had to be unescaped.
pub(crate) fn kept<'a>(text: Cow<'a, str>, slots: &mut Slots<'a>) -> Val<'a> {
    match text {
        Cow::Borrowed(text) => Val::Text(text.as_bytes()),
        Cow::Owned(text) => {
            let start = slots.unescaped.len() as u32;
            slots.unescaped.extend_from_slice(text.as_bytes());
            Val::Unescaped(start, slots.unescaped.len() as u32)
        }
    }
}

/// What serde_json said, as the reader tells it. `reason` is why we stopped it, if it was we.
pub(crate) fn broken(text: &str, error: &serde_json::Error, reason: Option<PoisonReason>) -> Broken {
    Broken {
        reason: reason.unwrap_or(PoisonReason::Json),
        at_byte: super::json::byte_of(text, error.line(), error.column()),
        detail: if reason.is_some() { String::new() } else { super::json::shortened(error.to_string()) },
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(parser: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text, a number or a flag")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Int(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar<'de>, E> {
                Ok(i64::try_from(value).map_or(Scalar::Nothing, Scalar::Int))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Double(value))
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Nothing)
            }
        }
        parser.deserialize_any(Any)
    }
}
