//! A JSON value that is no object and no list, whatever its type; what it means is judged by who asked for it.

use crate::read::draft::{Slots, Val, whole};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads a value: `None` for `null`, [`Val::Other`] for objects and lists. Text with escapes goes to the buffer.
pub(super) struct Scalar<'b>(pub(super) &'b mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = Option<Val<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = Option<Val<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Val::Text(text.as_bytes())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(unescaped(self.0, text.as_bytes())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(i64::try_from(value).map_or(Val::Other, Val::Int)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Val::Int(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Val::Double(value)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Val::Bool(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Val::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Val::Other))
    }
}

/// Keeps text that is not in the payload as it stands there.
fn unescaped<'de>(buffer: &mut Vec<u8>, text: &[u8]) -> Val<'de> {
    let start = buffer.len();
    buffer.extend_from_slice(text);
    // Offsets fit: a payload is bounded far below 4 GiB, and unescaped text is never longer than escaped.
    Val::Unescaped(start as u32, buffer.len() as u32)
}

/// A hex id of `digits` digits; zero if it is none.
pub(super) fn hex(value: Option<Val<'_>>, slots: &Slots<'_>, digits: usize) -> u128 {
    let Some(text) = value.and_then(|value| slots.resolve(value)) else { return 0 };
    if text.len() != digits {
        return 0;
    }
    let mut id = 0u128;
    let mut bad = 0u8;
    for byte in text {
        let digit = HEX[*byte as usize];
        bad |= digit;
        id = id << 4 | u128::from(digit & 0x0f);
    }
    if bad & 0xf0 == 0 { id } else { 0 }
}

/// Each byte's value as a hex digit; 0xff for those that are none.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        let lower = b"0123456789abcdef"[digit];
        table[lower as usize] = digit as u8;
        table[lower.to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// A time in Unix nanoseconds; zero if it is none. Floats are taken only where they are exact, which times are not.
pub(super) fn time(value: Option<Val<'_>>, slots: &Slots<'_>) -> u64 {
    match value {
        Some(Val::Int(time)) => u64::try_from(time).unwrap_or(0),
        Some(Val::Double(time)) => whole(time).and_then(|time| u64::try_from(time).ok()).unwrap_or(0),
        Some(value) => slots.resolve(value).and_then(decimal).unwrap_or(0),
        None => 0,
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    const DIGITS_MAX: usize = 20;
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// An enum's number: a number, its text, or one of `names` with or without `prefix`; -1 if it is none of them.
pub(super) fn number(value: Option<Val<'_>>, slots: &Slots<'_>, prefix: &str, names: &[&str]) -> i32 {
    match value {
        None => 0,
        Some(Val::Int(number)) => i32::try_from(number).unwrap_or(-1),
        Some(Val::Double(number)) => whole(number).and_then(|number| i32::try_from(number).ok()).unwrap_or(-1),
        Some(value) => {
            let Some(text) = slots.resolve(value) else { return -1 };
            if let Some(number) = decimal(text) {
                return i32::try_from(number).unwrap_or(-1);
            }
            let name = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
            names.iter().position(|known| known.as_bytes() == name).map_or(-1, |number| number as i32)
        }
    }
}
