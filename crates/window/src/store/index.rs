//! The index from keys to nodes: open addressing with one word a slot, so that a lookup touches one cache line.
//!
//! A slot's home is given by the top bits of its tag, so the table grows and is purged from its own words in one sequential
//! pass. Tags are only half of a key: the caller confirms a match with the node itself.

use super::node::NodeId;
use std::hint::black_box;

/// A tag (the upper half of the key) and a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    tag: u32,
    id: NodeId,
}

const EMPTY: Slot = Slot { tag: 0, id: NodeId::NONE };

/// Where a key is, or where it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This node has the key.
    There(NodeId),
    /// No node has; this slot is free for it.
    Free(usize),
}

/// Keys (by tag) and nodes. Never more than three quarters full.
#[derive(Debug)]
pub(super) struct Index {
    slots: Vec<Slot>,
    shift: u32,
    used: usize,
}

#[inline]
fn tag(key: u64) -> u32 {
    (key >> 32) as u32
}

impl Index {
    pub(super) fn new() -> Index {
        Index { slots: vec![EMPTY; 1 << 10], shift: 22, used: 0 }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        (tag >> self.shift) as usize
    }

    /// Brings what a lookup of `key` will touch into the cache, without waiting for it. Gives the node if it is at home.
    #[inline]
    pub(super) fn warm(&self, key: u64) -> Option<NodeId> {
        let slot = black_box(self.slots[self.home(tag(key))]);
        (slot.tag == tag(key) && slot.id.is_some()).then_some(slot.id)
    }

    /// Where `key` is; `is` says whether a node has that key.
    #[inline]
    pub(super) fn find(&self, key: u64, is: impl Fn(NodeId) -> bool) -> Found {
        let (tag, mask) = (tag(key), self.slots.len() - 1);
        let mut at = self.home(tag);
        loop {
            let slot = self.slots[at & mask];
            if !slot.id.is_some() {
                return Found::Free(at & mask);
            }
            if slot.tag == tag && is(slot.id) {
                return Found::There(slot.id);
            }
            at += 1;
        }
    }

    /// Fills the free slot that [`Index::find`] gave for `key`.
    #[inline]
    pub(super) fn fill(&mut self, at: usize, key: u64, id: NodeId) {
        self.slots[at] = Slot { tag: tag(key), id };
        self.used += 1;
        if self.used * 4 > self.slots.len() * 3 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![EMPTY; self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, slots);
        self.shift -= 1;
        old.into_iter().filter(|slot| slot.id.is_some()).for_each(|slot| self.place(slot));
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(slot.tag);
        while self.slots[at & mask].id.is_some() {
            at += 1;
        }
        self.slots[at & mask] = slot;
    }

    /// Forgets the nodes that are not `alive`.
    pub(super) fn purge(&mut self, alive: impl Fn(NodeId) -> bool) {
        let mask = self.slots.len() - 1;
        // From behind a free slot on, every slot is emptied and, if its node lives, placed again: all between its home
        // and here have been placed already, so it lands here or before.
        let start = self.slots.iter().position(|slot| !slot.id.is_some()).expect("never more than three quarters full");
        for step in 1..=mask {
            let at = (start + step) & mask;
            let slot = std::mem::replace(&mut self.slots[at], EMPTY);
            if !slot.id.is_some() {
                continue;
            }
            if alive(slot.id) {
                self.place(slot);
            } else {
                self.used -= 1;
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * Index::SLOT_BYTES
    }

    /// What a slot takes, bytes.
    pub(super) const SLOT_BYTES: usize = std::mem::size_of::<Slot>();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn key(step: u64) -> u64 {
        // Crowded homes and equal tags on purpose.
        let hash = model::stable_hash(&step.to_le_bytes());
        if step.is_multiple_of(3) { hash | 0xffff_ff00_0000_0000 } else { hash }
    }

    #[test]
    fn it_behaves_as_a_map_through_growth_and_purges() {
        let (mut index, mut map) = (Index::new(), BTreeMap::new());
        let mut keys: Vec<u64> = Vec::new();
        for step in 0..20_000u64 {
            let key = key(step);
            let id = NodeId(step as u32);
            keys.push(key);
            match index.find(key, |id| keys[id.0 as usize] == key) {
                Found::There(_) => panic!("{step} is new"),
                Found::Free(at) => index.fill(at, key, id),
            }
            map.insert(key, id);
            if step % 3000 == 2999 {
                index.purge(|id| id.0 % 7 != 3);
                map.retain(|_, id| id.0 % 7 != 3);
            }
        }
        assert_eq!(index.used, map.len());
        for (step, key) in keys.iter().enumerate() {
            let found = index.find(*key, |id| keys[id.0 as usize] == *key);
            match map.get(key) {
                Some(id) => assert_eq!(found, Found::There(*id), "{step}"),
                None => assert!(matches!(found, Found::Free(_)), "{step}"),
            }
        }
    }
}
