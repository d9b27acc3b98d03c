//! The index from keys to nodes: buckets of one cache line each, so that a lookup touches one.
//!
//! A node tells by its number alone whether it is gone, so its slot is free again at once and nothing has to be swept. Tags are
//! only half of a key: the caller confirms a match with the node itself.

use super::node::NodeId;
use super::pool::WRAP;
use crate::ahead::ask;
use wide::i32x8;

/// Slots in a bucket.
const SLOTS: usize = 7;
/// The index grows when there are more nodes than so many a bucket.
const CROWDED: usize = 4;

/// Tags (the upper halves of keys), their nodes, and of each pool the last node that found no room here: it lies in one of the
/// buckets that follow. In one piece, so that a few instructions look at all of them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket([u32; SLOTS + SLOTS + 2]);

/// No node has these ids, whatever their tags.
const EMPTY: Bucket = Bucket([u32::MAX; SLOTS + SLOTS + 2]);

/// Which numbers are remembered, of either pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    /// The oldest ones.
    pub(super) floors: [u32; 2],
    /// How many there are from there on.
    pub(super) counts: [u32; 2],
}

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

/// Eight words from there on.
#[inline]
fn eight(words: &[u32], from: usize) -> i32x8 {
    let words: [u32; 8] = words[from..from + 8].try_into().expect("eight");
    i32x8::from(words.map(u32::cast_signed))
}

impl Remembered {
    /// One bit for each of these ids.
    #[inline]
    fn bits(&self, ids: i32x8) -> u32 {
        let splat = |word: u32| i32x8::splat(word.cast_signed());
        let second: i32x8 = ids >> 31;
        let of_pool = |[one, other]: [u32; 2]| -> i32x8 { splat(one) ^ (splat(one ^ other) & second) };
        let after: i32x8 = ((ids - of_pool(self.floors)) & splat(WRAP - 1)) | (ids & splat(WRAP));
        let there: i32x8 = after.simd_lt(of_pool(self.counts));
        there.to_bitmask()
    }

    fn has(&self, id: NodeId) -> bool {
        self.bits(i32x8::splat(id.0.cast_signed())) != 0
    }
}

impl Bucket {
    /// One bit for each slot with this tag.
    #[inline]
    fn with(&self, tag: u32) -> u32 {
        eight(&self.0, 0).simd_eq(i32x8::splat(tag.cast_signed())).to_bitmask() & ((1 << SLOTS) - 1)
    }

    /// The node in a slot. (The mask says that there is one, so that nothing is checked.)
    #[inline]
    fn id(&self, slot: u32) -> NodeId {
        NodeId(self.0[SLOTS + (slot as usize & 7)])
    }

    /// The first free slot, and whether a node is remembered that found no room here.
    #[inline]
    fn free(&self, remembered: Remembered) -> (Option<usize>, bool) {
        let here = remembered.bits(eight(&self.0, SLOTS)) & ((1 << SLOTS) - 1);
        // The last eight words end with those of the spilled.
        let spilled = remembered.bits(eight(&self.0, self.0.len() - 8)) >> 6;
        let slot = here.trailing_ones() as usize;
        ((slot < SLOTS).then_some(slot), spilled != 0)
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

    /// Asks for the memory that a lookup of `key` begins with.
    #[inline]
    pub(super) fn ask(&self, key: u64) {
        ask(&self.buckets[self.home(tag(key))]);
    }

    /// A node that may have the key.
    #[inline]
    pub(super) fn candidate(&self, key: u64) -> Option<NodeId> {
        let bucket = &self.buckets[self.home(tag(key))];
        let with = bucket.with(tag(key));
        (with != 0).then(|| bucket.id(with.trailing_zeros()))
    }

    /// Where `key` is; `is` says whether a node is remembered and has that key.
    #[inline]
    pub(super) fn find(&self, key: u64, remembered: Remembered, is: impl Fn(NodeId) -> bool) -> Found {
        let (tag, mask) = (tag(key), self.buckets.len() - 1);
        let home = self.home(tag);
        let mut free = None;
        for away in 0..=mask {
            let at = (home + away) & mask;
            let bucket = &self.buckets[at];
            let mut with = bucket.with(tag);
            while with != 0 {
                let id = bucket.id(with.trailing_zeros());
                if is(id) {
                    return Found::There(id);
                }
                with &= with - 1;
            }
            let (slot, leads_on) = bucket.free(remembered);
            free = free.or(slot.map(|slot| Free { bucket: at, slot, away }));
            match free {
                Some(free) if !leads_on => return Found::Free(free),
                _ => {}
            }
        }
        Found::Free(free.expect("the index grows before it is full"))
    }

    /// Fills the free slot that [`Index::find`] gave for `key`.
    #[inline]
    pub(super) fn fill(&mut self, free: Free, key: u64, id: NodeId) {
        let bucket = &mut self.buckets[free.bucket];
        (bucket.0[free.slot], bucket.0[SLOTS + free.slot]) = (tag(key), id.0);
        if free.away > 0 {
            self.spill(free, id);
        }
    }

    /// The buckets on the way to it lead on. Nodes of a pool are forgotten in their order: the last one speaks for all.
    #[cold]
    fn spill(&mut self, free: Free, id: NodeId) {
        let mask = self.buckets.len() - 1;
        for back in 1..=free.away {
            self.buckets[free.bucket.wrapping_sub(back) & mask].0[2 * SLOTS + id.pool()] = id.0;
        }
    }

    /// Makes room for so many nodes in all.
    #[inline]
    pub(super) fn reserve(&mut self, nodes: usize, remembered: Remembered) {
        if nodes > self.buckets.len() * CROWDED {
            self.grow(remembered);
        }
    }

    #[cold]
    fn grow(&mut self, remembered: Remembered) {
        let buckets = vec![EMPTY; self.buckets.len() * 2];
        let old = std::mem::replace(&mut self.buckets, buckets);
        self.shift -= 1;
        for (tag, id) in old.iter().flat_map(|bucket| bucket.0[..SLOTS].iter().zip(&bucket.0[SLOTS..2 * SLOTS])) {
            let (key, id) = (u64::from(*tag) << 32, NodeId(*id));
            if remembered.has(id)
                && let Found::Free(free) = self.find(key, remembered, |_| false)
            {
                self.fill(free, key, id);
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
        let remembered = |step: u64, next: u64| {
            let floors = [step - step % 3000, step.saturating_sub(step % 7000 + 2000)];
            Remembered { floors: floors.map(|floor| floor as u32), counts: floors.map(|floor| (next - floor) as u32) }
        };
        for step in 0..60_000u64 {
            let now = remembered(step, step);
            let alive = |id| now.has(id);
            map.retain(|_, id| alive(*id));
            index.reserve(map.len() + 1, now);
            match index.find(key(step), now, |id| alive(id) && key(step_of(id)) == key(step)) {
                Found::There(_) => panic!("{step} is new"),
                Found::Free(free) => index.fill(free, key(step), id(step)),
            }
            map.insert(key(step), id(step));
            if step % 997 == 0 {
                let then = remembered(step, step + 1);
                let is = |id, key| then.has(id) && self::key(step_of(id)) == key;
                for old in 0..=step {
                    let found = index.find(key(old), then, |id| is(id, key(old)));
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
