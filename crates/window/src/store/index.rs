//! The index from keys to nodes: buckets of one cache line each, so that a lookup touches one.
//!
//! A node tells by its number alone whether it is gone, so its slot is free again at once and nothing has to be swept. Tags are
//! only half of a key: the caller confirms a match with the node itself.

use super::node::NodeId;

/// Slots in a bucket.
const SLOTS: usize = 7;
/// The index grows when there are more nodes than so many a bucket.
const CROWDED: usize = 5;

/// Tags (the upper halves of keys) and their nodes, and of each pool the last node that found no room here: it lies in one
/// of the buckets that follow.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u32; SLOTS],
    ids: [NodeId; SLOTS],
    spilled: [NodeId; 2],
}

const EMPTY: Bucket = Bucket { tags: [0; SLOTS], ids: [NodeId::NONE; SLOTS], spilled: [NodeId::NONE; 2] };

/// A slot, and how many buckets lie between it and its key's home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Free {
    bucket: usize,
    slot: usize,
    away: usize,
}

/// Where a key is, or where it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This node has the key.
    There(NodeId),
    /// No node has; this slot is free for it.
    Free(Free),
}

/// Keys (by tag) and nodes, some of which are gone.
#[derive(Debug)]
pub(super) struct Index {
    buckets: Vec<Bucket>,
    shift: u32,
}

#[inline]
fn tag(key: u64) -> u32 {
    (key >> 32) as u32
}

impl Bucket {
    /// One bit for each slot with this tag.
    #[inline]
    fn with(&self, tag: u32) -> u32 {
        (0..SLOTS).fold(0, |bits, slot| bits | u32::from(self.tags[slot] == tag) << slot)
    }

    #[inline]
    fn free(&self, alive: impl Fn(NodeId) -> bool) -> Option<usize> {
        // No branch for each: which of them is the first is anybody's guess.
        let gone = (0..SLOTS).fold(0, |bits, slot| bits | u32::from(!alive(self.ids[slot])) << slot);
        (gone != 0).then(|| gone.trailing_zeros() as usize)
    }

    /// Is a node remembered that found no room here?
    #[inline]
    fn leads_on(&self, alive: impl Fn(NodeId) -> bool) -> bool {
        alive(self.spilled[0]) | alive(self.spilled[1])
    }
}

impl Index {
    pub(super) fn new() -> Index {
        Index { buckets: vec![EMPTY; 1 << 8], shift: 24 }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        (tag >> self.shift) as usize
    }

    /// Asks for the memory that a lookup of `key` begins with. What it gives says nothing.
    #[inline]
    pub(super) fn touch(&self, key: u64) -> u32 {
        self.buckets[self.home(tag(key))].tags[0]
    }

    /// A node that may have the key.
    #[inline]
    pub(super) fn candidate(&self, key: u64) -> Option<NodeId> {
        let bucket = &self.buckets[self.home(tag(key))];
        let with = bucket.with(tag(key));
        (with != 0).then(|| bucket.ids[with.trailing_zeros() as usize])
    }

    /// Where `key` is; `is` says whether a node has that key, and `alive` whether it is still remembered.
    #[inline]
    pub(super) fn find(&self, key: u64, alive: impl Fn(NodeId) -> bool, is: impl Fn(NodeId) -> bool) -> Found {
        let (tag, mask) = (tag(key), self.buckets.len() - 1);
        let home = self.home(tag);
        let mut free = None;
        for away in 0..=mask {
            let at = (home + away) & mask;
            let bucket = &self.buckets[at];
            let mut with = bucket.with(tag);
            while with != 0 {
                let id = bucket.ids[with.trailing_zeros() as usize];
                if is(id) {
                    return Found::There(id);
                }
                with &= with - 1;
            }
            let slot = |slot| Free { bucket: at, slot, away };
            free = free.or_else(|| bucket.free(&alive).map(slot));
            match free {
                Some(free) if !bucket.leads_on(&alive) => return Found::Free(free),
                _ => {}
            }
        }
        Found::Free(free.expect("the index grows before it is full"))
    }

    /// Fills the free slot that [`Index::find`] gave for `key`.
    #[inline]
    pub(super) fn fill(&mut self, free: Free, key: u64, id: NodeId) {
        let bucket = &mut self.buckets[free.bucket];
        (bucket.tags[free.slot], bucket.ids[free.slot]) = (tag(key), id);
        if free.away > 0 {
            self.spill(free, id);
        }
    }

    /// The buckets on the way to it lead on. Nodes of a pool are forgotten in their order: the last one speaks for all.
    #[cold]
    fn spill(&mut self, free: Free, id: NodeId) {
        let mask = self.buckets.len() - 1;
        for back in 1..=free.away {
            self.buckets[free.bucket.wrapping_sub(back) & mask].spilled[id.pool()] = id;
        }
    }

    /// Makes room for so many nodes in all.
    #[inline]
    pub(super) fn reserve(&mut self, nodes: usize, alive: impl Fn(NodeId) -> bool) {
        if nodes > self.buckets.len() * CROWDED {
            self.grow(alive);
        }
    }

    #[cold]
    fn grow(&mut self, alive: impl Fn(NodeId) -> bool) {
        let buckets = vec![EMPTY; self.buckets.len() * 2];
        let old = std::mem::replace(&mut self.buckets, buckets);
        self.shift -= 1;
        for (tag, id) in old.iter().flat_map(|bucket| bucket.tags.iter().zip(&bucket.ids)) {
            let key = u64::from(*tag) << 32;
            if alive(*id)
                && let Found::Free(free) = self.find(key, &alive, |_| false)
            {
                self.fill(free, key, *id);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// What a node takes here when the index has just grown, bytes.
    pub(super) const NODE_BYTES: usize = size_of::<Bucket>() * 2 / CROWDED;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn key(step: u64) -> u64 {
        // Crowded homes and equal tags on purpose.
        let hash = model::stable_hash(&step.to_le_bytes());
        if step.is_multiple_of(40) { hash | 0xffff_ff00_0000_0000 } else { hash }
    }

    /// Of the second pool every third, the others of the first.
    fn id(step: u64) -> NodeId {
        NodeId(if step.is_multiple_of(3) { step as u32 | 1 << 31 } else { step as u32 })
    }

    #[test]
    fn it_behaves_as_a_map_of_what_is_remembered() {
        let (mut index, mut map) = (Index::new(), BTreeMap::new());
        let step_of = |id: NodeId| u64::from(id.0 & !(1 << 31));
        // The pools forget at different times.
        let floors = |step: u64| [step.saturating_sub(step % 3000), step.saturating_sub(step % 7000 + 2000)];
        for step in 0..60_000u64 {
            let floors = floors(step);
            let alive = |id: NodeId| id.is_some() && step_of(id) >= floors[id.pool()] && step_of(id) < step;
            map.retain(|_, id| alive(*id));
            index.reserve(map.len() + 1, alive);
            match index.find(key(step), alive, |id| alive(id) && key(step_of(id)) == key(step)) {
                Found::There(_) => panic!("{step} is new"),
                Found::Free(free) => index.fill(free, key(step), id(step)),
            }
            map.insert(key(step), id(step));
            if step % 997 == 0 {
                let alive = |id: NodeId| id.is_some() && step_of(id) >= floors[id.pool()] && step_of(id) <= step;
                for old in 0..=step {
                    let found = index.find(key(old), alive, |id| alive(id) && key(step_of(id)) == key(old));
                    match map.get(&key(old)) {
                        Some(id) => assert_eq!(found, Found::There(*id), "{old} at {step}"),
                        None => assert!(matches!(found, Found::Free(_)), "{old} at {step}"),
                    }
                }
            }
        }
        assert!(index.buckets.len() > 1 << 8, "it grew");
    }
}
