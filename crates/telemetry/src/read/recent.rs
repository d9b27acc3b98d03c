//! A bounded map that forgets what has not been used for long.
//!
//! Two generations: when the young one is full it becomes the old one, and what was old is forgotten. What is used
//! stays, so a flood of new keys cannot push out the ones in use. Keys are well-mixed hashes already.

#[expect(clippy::disallowed_types, reason = "its hasher is fixed and it is never iterated")]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Passes a 64-bit hash through.
#[derive(Default)]
pub(crate) struct Through(u64);

impl Hasher for Through {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _bytes: &[u8]) {
        debug_assert!(false, "keys are u64");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[expect(clippy::disallowed_types, reason = "its hasher is fixed and it is never iterated")]
type Generation<V> = HashMap<u64, V, BuildHasherDefault<Through>>;

pub(crate) struct Recent<V> {
    young: Generation<V>,
    old: Generation<V>,
    generation_max: usize,
}

impl<V> Recent<V> {
    /// Holds at most `max` keys.
    pub(crate) fn new(max: usize) -> Recent<V> {
        Recent { young: Generation::default(), old: Generation::default(), generation_max: (max / 2).max(1) }
    }

    /// The value, which counts as used now.
    #[inline]
    pub(crate) fn get(&mut self, key: u64) -> Option<&mut V> {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key)?;
            self.insert(key, value);
        }
        self.young.get_mut(&key)
    }

    /// A copy of the value, which counts as used now.
    #[inline]
    pub(crate) fn copied(&mut self, key: u64) -> Option<V>
    where
        V: Copy,
    {
        match self.young.get(&key) {
            Some(value) => Some(*value),
            None => self.get(key).map(|value| *value),
        }
    }

    pub(crate) fn insert(&mut self, key: u64, value: V) {
        if self.young.len() >= self.generation_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_stays_within_the_bound_and_keeps_what_is_used() {
        let mut recent = Recent::new(100);
        recent.insert(7, "kept");
        for key in 1_000..100_000u64 {
            recent.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), "flood");
            assert_eq!(recent.get(7).copied(), Some("kept"));
            assert!(recent.len() <= 100);
        }
        recent.clear();
        assert!(recent.get(7).is_none());
    }
}
