//! A table of accumulators by key, whose memory serves window after window.

use super::key::RowKey;
use hashbrown::hash_table::HashTable;
use std::hash::{BuildHasher, Hasher};

/// What fills up while a window is open.
pub(crate) trait Accumulator: Default {
    /// Back to nothing; memory may be kept.
    fn clear(&mut self);
}

/// Accumulators by key. A row's place is stable until [`Table::clear`].
#[derive(Debug)]
pub(crate) struct Table<K, A> {
    index: HashTable<(u64, u32)>,
    rows: Vec<(K, A)>,
    used: usize,
    recent: (u64, u32),
}

impl<K: RowKey, A: Accumulator> Table<K, A> {
    pub(crate) fn new() -> Table<K, A> {
        Table { index: HashTable::new(), rows: Vec::new(), used: 0, recent: (0, u32::MAX) }
    }

    /// The place of the row of `key`, whose hash is `hash`.
    #[inline]
    pub(crate) fn find(&mut self, key: &K, hash: u64) -> Option<u32> {
        if self.recent.0 == hash && self.recent.1 < self.used as u32 && self.rows[self.recent.1 as usize].0 == *key {
            return Some(self.recent.1);
        }
        let rows = &self.rows;
        let at = self.index.find(hash, |slot| slot.0 == hash && rows[slot.1 as usize].0 == *key)?.1;
        self.recent = (hash, at);
        Some(at)
    }

    /// Would another row need memory?
    pub(crate) fn is_full(&self) -> bool {
        self.used == self.rows.len()
    }

    /// Rows there is memory for.
    pub(crate) fn allocated(&self) -> usize {
        self.rows.len()
    }

    /// Adds an empty row for a key that has none. Gives its place.
    pub(crate) fn add(&mut self, key: K, hash: u64) -> u32 {
        let at = self.used as u32;
        if self.used == self.rows.len() {
            self.rows.push((key, A::default()));
        } else {
            self.rows[self.used].0 = key;
        }
        self.used += 1;
        self.index.insert_unique(hash, (hash, at), |slot| slot.0);
        at
    }

    #[inline]
    pub(crate) fn row(&mut self, at: u32) -> &mut A {
        &mut self.rows[at as usize].1
    }

    pub(crate) fn key(&self, at: u32) -> K {
        self.rows[at as usize].0
    }

    pub(crate) fn rows(&self) -> &[(K, A)] {
        &self.rows[..self.used]
    }

    /// What `each` makes of the rows, in the order of their keys. Rows are long: it is their keys that are sorted.
    pub(crate) fn in_order<R>(&mut self, mut each: impl FnMut(K, &mut A) -> R) -> impl ExactSizeIterator<Item = R> {
        let mut order: Vec<(K, u32)> = self.rows().iter().zip(0..).map(|((key, _), at)| (*key, at)).collect();
        order.sort_unstable();
        order.into_iter().map(move |(key, at)| each(key, &mut self.rows[at as usize].1))
    }

    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Forgets all rows and keeps the memory for as many again; what a flood left behind beyond that is given back.
    pub(crate) fn clear(&mut self) {
        for (_, row) in &mut self.rows[..self.used] {
            row.clear();
        }
        let keep = (self.used * 2).max(64);
        if self.rows.len() > keep * 2 {
            self.rows.truncate(keep);
            self.rows.shrink_to(keep);
            self.index = HashTable::new();
        }
        self.index.clear();
        self.used = 0;
        self.recent = (0, u32::MAX);
    }

    /// Memory of keys, rows and index; what rows own besides is not in it.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.capacity() * std::mem::size_of::<(K, A)>() + self.index.capacity() * 20
    }
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain;

impl BuildHasher for Plain {
    type Hasher = PlainHasher;
    fn build_hasher(&self) -> PlainHasher {
        PlainHasher(0)
    }
}

/// Folds 64-bit words that are well mixed already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(model::stable_hash(bytes));
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}
