//! The index from keys to nodes: open addressing with one word a slot, so that a lookup touches one cache line.
//!
//! A slot's home is given by the top bits of its tag, so the table grows and is swept from its own words, in their order. Tags
//! are only half of a key: the caller confirms a match with the node itself.

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

/// Keys (by tag) and nodes, some of which are gone. Never more than three quarters full.
#[derive(Debug)]
pub(super) struct Index {
    slots: Vec<Slot>,
    shift: u32,
    used: usize,
    /// Nodes that are gone and still have a slot.
    stale: usize,
    /// Where the next sweep goes on.
    swept: usize,
}

#[inline]
fn tag(key: u64) -> u32 {
    (key >> 32) as u32
}

impl Index {
    pub(super) fn new() -> Index {
        Index { slots: vec![EMPTY; 1 << 10], shift: 22, used: 0, stale: 0, swept: 0 }
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

    /// So many nodes are gone: their slots wait for [`Index::sweep`].
    pub(super) fn gone(&mut self, nodes: usize) {
        self.stale += nodes;
    }

    /// Looks at so many slots and a few, and frees those of nodes that are not `alive`. Done a little at a time, because all
    /// at once takes longer than a window has.
    #[inline]
    pub(super) fn sweep(&mut self, slots: usize, alive: impl Fn(NodeId) -> bool) {
        if self.stale > 0 {
            self.sweep_some(slots, alive);
        }
    }

    fn sweep_some(&mut self, slots: usize, alive: impl Fn(NodeId) -> bool) {
        let mask = self.slots.len() - 1;
        while self.slots[self.swept & mask].id.is_some() {
            self.swept += 1;
        }
        // From behind a free slot on, every slot is emptied and, if its node lives, placed again: all between its home
        // and here have been placed already, so it lands here or before. Up to the next free slot, where nobody's way leads on.
        let mut left = slots.min(mask);
        loop {
            self.swept = (self.swept + 1) & mask;
            left = left.saturating_sub(1);
            let slot = std::mem::replace(&mut self.slots[self.swept], EMPTY);
            if !slot.id.is_some() {
                if left == 0 {
                    return;
                }
            } else if alive(slot.id) {
                self.place(slot);
            } else {
                self.used -= 1;
                self.stale = self.stale.saturating_sub(1);
            }
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
    fn it_behaves_as_a_map_through_growth_and_sweeps() {
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
            // What is gone is gone at once, whether its slot has been swept or not.
            if step % 3000 == 2999 {
                let before = map.len();
                map.retain(|_, id| id.0 % 7 != 3);
                index.gone(before - map.len());
            }
            let floor = (step + 1) / 3000 * 3000;
            index.sweep(step as usize % 5, |id| id.0 as u64 >= floor || id.0 % 7 != 3);
        }
        let floor = 20_000 / 3000 * 3000;
        index.sweep(1 << 20, |id| id.0 as u64 >= floor || id.0 % 7 != 3);
        assert_eq!((index.used, index.stale), (map.len(), 0));
        for (step, key) in keys.iter().enumerate() {
            let found = index.find(*key, |id| keys[id.0 as usize] == *key);
            match map.get(key) {
                Some(id) => assert_eq!(found, Found::There(*id), "{step}"),
                None => assert!(matches!(found, Found::Free(_)), "{step}"),
            }
        }
    }
}
