//! Names of services, operations, peers, versions, zones and instances, as stable 64-bit hashes.
//!
//! A hash of the text, never the order of arrival, so that two threads, two processes and two runs give the same key.
//! The text itself travels once, in a [`Named`], to whoever must show it.

use serde::{Deserialize, Serialize};

/// The stable hash of a name. [`NameId::NONE`] stands for "there is no name".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NameId(pub u64);

/// The text of a name.
pub type Name = String;

/// A name's text beside its id: what a decoder announces the first time it meets the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// The stable hash of `text`.
    pub id: NameId,
    /// The name as it is shown.
    pub text: Name,
}

impl NameId {
    /// No name: the span did not say.
    pub const NONE: NameId = NameId(0);

    /// The id of `text`; the empty text is [`NameId::NONE`].
    pub fn of(text: &str) -> NameId {
        if text.is_empty() { NameId::NONE } else { NameId(stable_hash(text.as_bytes())) }
    }

    /// Is there a name at all?
    pub fn is_some(self) -> bool {
        self != NameId::NONE
    }
}

impl Named {
    /// A name with its id.
    pub fn of(text: &str) -> Named {
        Named { id: NameId::of(text), text: text.to_owned() }
    }
}

/// A 64-bit hash that is the same on every machine and in every version: multiply-fold over 8-byte little-endian words
/// (the `wyhash` mixing step) with fixed constants. Not for adversarial keys; tables that hold untrusted names are
/// bounded by weight instead. Never zero.
#[inline]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0xa076_1d64_78bd_642f;
    const STEP: u64 = 0xe703_7ed1_a0b4_28db;
    let mut state = SEED ^ (bytes.len() as u64).wrapping_mul(STEP);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), STEP);
    }
    let hash = fold(state ^ tail(bytes, rest), SEED);
    if hash == 0 { STEP } else { hash }
}

/// The last bytes, which fill no word, with zeros behind them. Read at once: what is put together byte by byte and then read
/// as a word stalls the processor.
#[inline]
fn tail(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk::<8>() {
        _ if rest.is_empty() => 0,
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_pinned_because_they_are_keys_on_disk() {
        assert_eq!(NameId::of(""), NameId::NONE);
        assert_eq!(NameId::of("checkout"), NameId::of("checkout"));
        assert_ne!(NameId::of("checkout"), NameId::of("checkouu"));
        assert_ne!(stable_hash(b"a"), stable_hash(b"a\0"), "length is part of the hash");
        let text = b"GET /api/v1/cart/{id}";
        let hashes = [0, 1, 7, 8, 9, 16, 21].map(|length| stable_hash(&text[..length]));
        let pinned = [
            0xf47c_dffd_9671_363d,
            0x5313_3822_2763_d5c4,
            0xf1fc_d9b9_917f_f4c3,
            0xbc7d_6f55_ebc3_7685,
            0x8f04_2787_c20e_b846,
            0xb75f_a374_aa02_3ddf,
            0x0b32_443e_d75e_6e4b,
        ];
        assert_eq!(hashes, pinned);
    }
}
