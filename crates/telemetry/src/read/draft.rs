//! A span as the walkers find it: its fields and the attributes that are read, borrowed from the payload.

use super::key::{KEYS, Key};

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Val<'a> {
    /// Text in the payload; not yet known to be UTF-8.
    Text(&'a [u8]),
    /// Text that had escapes in it: a range of [`Slots::unescaped`].
    Unescaped(u32, u32),
    Int(i64),
    Bool(bool),
    Double(f64),
    /// A type that no attribute read here has.
    Other,
}

/// The attributes of one span or one resource. Filled anew for each: only the set of what is there is emptied.
pub(crate) struct Slots<'a> {
    values: [Val<'a>; KEYS],
    present: u128,
    pub(crate) unescaped: Vec<u8>,
}

/// The keys as a set.
pub(crate) const fn set(keys: &[Key]) -> u128 {
    let mut bits = 0;
    let mut index = 0;
    while index < keys.len() {
        bits |= 1 << keys[index] as u128;
        index += 1;
    }
    bits
}

impl<'a> Slots<'a> {
    /// Empty, with a buffer for unescaped text that the caller gets back.
    pub(crate) fn new(unescaped: Vec<u8>) -> Slots<'a> {
        Slots { values: [Val::Other; KEYS], present: 0, unescaped }
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.present = 0;
        self.unescaped.clear();
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, key: Key, value: Val<'a>) {
        self.values[key as usize] = value;
        self.present |= 1 << key as u128;
    }

    #[inline(always)]
    pub(crate) fn any(&self, keys: u128) -> bool {
        self.present & keys != 0
    }

    #[inline(always)]
    pub(crate) fn get(&self, key: Key) -> Option<Val<'a>> {
        (self.present >> key as u128 & 1 == 1).then(|| self.values[key as usize])
    }

    /// The text under `key`, unless it is empty.
    #[inline(always)]
    pub(crate) fn text(&self, key: Key) -> Option<&[u8]> {
        self.resolve(self.get(key)?).filter(|text| !text.is_empty())
    }

    /// A value's text, if it is one.
    #[inline(always)]
    pub(crate) fn resolve<'s>(&'s self, value: Val<'s>) -> Option<&'s [u8]> {
        match value {
            Val::Text(text) => Some(text),
            Val::Unescaped(start, end) => Some(&self.unescaped[start as usize..end as usize]),
            _ => None,
        }
    }

    /// The first of `keys` that has a text.
    #[inline]
    pub(crate) fn first_text(&self, keys: &[Key]) -> Option<&[u8]> {
        keys.iter().find_map(|key| self.text(*key))
    }

    /// The integer under `key`; also from text (Envoy writes all its tags as text) and from whole floats.
    #[inline(always)]
    pub(crate) fn int(&self, key: Key) -> Option<i64> {
        match self.get(key)? {
            Val::Int(value) => Some(value),
            _ => self.int_of_other(key),
        }
    }

    /// What is no integer as it stands: apart, so that the usual case stays small wherever it is asked for.
    #[inline(never)]
    fn int_of_other(&self, key: Key) -> Option<i64> {
        match self.get(key)? {
            Val::Int(value) => Some(value),
            Val::Double(value) => whole(value),
            Val::Bool(_) | Val::Other => None,
            Val::Text(_) | Val::Unescaped(..) => std::str::from_utf8(self.text(key)?).ok()?.trim().parse().ok(),
        }
    }

    /// The number under `key`, from any type that can hold one.
    pub(crate) fn number(&self, key: Key) -> Option<f64> {
        match self.get(key)? {
            Val::Int(value) => Some(value as f64),
            Val::Double(value) => Some(value),
            Val::Bool(_) | Val::Other => None,
            Val::Text(_) | Val::Unescaped(..) => std::str::from_utf8(self.text(key)?).ok()?.trim().parse().ok(),
        }
    }

    /// The flag under `key`; also from text.
    pub(crate) fn flag(&self, key: Key) -> Option<bool> {
        match self.get(key)? {
            Val::Bool(value) => Some(value),
            Val::Int(value) => Some(value != 0),
            Val::Double(_) | Val::Other => None,
            Val::Text(_) | Val::Unescaped(..) => match self.text(key)? {
                text if text.eq_ignore_ascii_case(b"true") || text == b"1" => Some(true),
                text if text.eq_ignore_ascii_case(b"false") || text == b"0" => Some(false),
                _ => None,
            },
        }
    }
}

/// A float that is a whole number and exact as such.
pub(crate) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// A span's fields. Ids of a wrong length are zero; times that cannot be read too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    /// The parent's id was there and is no id.
    pub(crate) parent_damaged: bool,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) kind: i32,
    /// OpenTelemetry's status code: 0 unset, 1 ok, 2 error.
    pub(crate) status: i32,
}

/// A link's ids; zero where they are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) trace: u128,
    pub(crate) id: u64,
}

/// A 16-byte id as a number; any other length is zero.
#[inline(always)]
pub(crate) fn trace_id(bytes: &[u8]) -> u128 {
    bytes.try_into().map_or(0, u128::from_be_bytes)
}

/// An 8-byte id as a number; any other length is zero.
#[inline(always)]
pub(crate) fn span_id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
