//! A pool of nodes that are forgotten in the order in which they came.
//!
//! Memory is taken and used again in chunks of equal size: what is remembered never moves, and what is forgotten makes room
//! for what comes.

use super::node::{Node, NodeId};
use std::cell::Cell;

/// Bits of a number that say where in its chunk a node lies.
const BITS: u32 = 11;
/// Nodes in a chunk: some 230 kB.
const CHUNK: u32 = 1 << BITS;
/// Numbers begin again at zero after so many nodes; what is remembered at once is far less. No node's id has this bit.
pub(super) const WRAP: u32 = 1 << 30;
/// Nodes that one span may need: its own, its parent's place, and a twin.
const SPARE: u32 = 3;

/// A place in the order of nodes, to be compared with the pool's own only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u32);

/// Nodes numbered upwards; what lies before the floor is gone.
#[derive(Debug)]
pub(crate) struct Pool {
    tag: u32,
    /// The number of the first chunk's first node, the oldest one's that is remembered, and the next one's.
    base: u32,
    floor: u32,
    next: u32,
    chunks: Vec<Chunk>,
    /// Who was settled, of each chunk: apart from the nodes, so that asking it of many touches little memory; to be noted
    /// while nodes are looked at.
    settled: Vec<[Cell<u64>; CHUNK as usize / 64]>,
    /// Chunks that are not in use.
    idle: Vec<Chunk>,
    chunks_max: usize,
}

/// Of a size that is known, so that a look into it needs no bound of its own.
type Chunk = Box<[Node; CHUNK as usize]>;

/// How far `to` lies after `from`.
#[inline]
fn after(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & (WRAP - 1)
}

impl Pool {
    /// An empty pool of about `nodes_max` nodes, two chunks at least; `tag` is 0 or 1.
    pub(crate) fn new(tag: u32, nodes_max: usize) -> Pool {
        let chunks_max = (nodes_max / CHUNK as usize).clamp(2, (WRAP / CHUNK / 2) as usize);
        Pool {
            tag: tag << 31,
            base: 0,
            floor: 0,
            next: 0,
            chunks: Vec::new(),
            settled: Vec::new(),
            idle: Vec::new(),
            chunks_max,
        }
    }

    /// Where a remembered node lies: its chunk, and its place there.
    #[inline]
    fn place(&self, id: NodeId) -> Option<(usize, usize)> {
        let alive = self.alive(id);
        let at = after(self.base, id.0);
        alive.then_some(((at >> BITS) as usize, (at & (CHUNK - 1)) as usize))
    }

    #[inline]
    pub(crate) fn alive(&self, id: NodeId) -> bool {
        after(self.floor, id.0) | id.0 & WRAP < after(self.floor, self.next)
    }

    #[inline]
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        let (chunk, at) = self.place(id)?;
        Some(&self.chunks[chunk][at])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        let (chunk, at) = self.place(id)?;
        Some(&mut self.chunks[chunk][at])
    }

    /// Was it settled ahead of the close of its window, or is it forgotten?
    #[inline]
    pub(crate) fn is_settled(&self, id: NodeId) -> bool {
        self.place(id).is_none_or(|(chunk, at)| self.settled[chunk][at / 64].get() >> (at % 64) & 1 == 1)
    }

    #[inline]
    pub(crate) fn settle(&self, id: NodeId) {
        if let Some((chunk, at)) = self.place(id) {
            let bits = &self.settled[chunk][at / 64];
            bits.set(bits.get() | 1 << (at % 64));
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        let at = (self.next & (CHUNK - 1)) as usize;
        if at == 0 {
            self.begin_chunk();
        }
        let id = NodeId(self.tag | self.next);
        self.next = after(0, self.next + 1);
        self.chunks.last_mut().expect("a chunk was begun")[at] = node;
        id
    }

    #[cold]
    fn begin_chunk(&mut self) {
        let whole = |nodes: Vec<Node>| nodes.into_boxed_slice().try_into().expect("a whole chunk");
        let new = || whole(vec![Node::place(0); CHUNK as usize]);
        self.chunks.push(self.idle.pop().unwrap_or_else(new));
        self.settled.push([const { Cell::new(0) }; CHUNK as usize / 64]);
    }

    /// The first number that is remembered, and how many there are.
    #[inline]
    pub(super) fn remembered(&self) -> (u32, u32) {
        (self.floor, after(self.floor, self.next))
    }

    /// Might one more span not fit?
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        after(self.base, self.next) + SPARE > self.chunks_max as u32 * CHUNK
    }

    /// The number of the next node.
    pub(crate) fn next(&self) -> Number {
        Number(self.next)
    }

    /// The number behind the oldest nodes, a chunk of them at most.
    pub(crate) fn behind_oldest(&self) -> Number {
        let chunk = after(0, self.base + CHUNK);
        if after(self.floor, chunk) < after(self.floor, self.next) { Number(chunk) } else { self.next() }
    }

    /// How many nodes that are remembered lie before `until`; none if it was passed.
    fn count_until(&self, until: Number) -> u32 {
        let count = after(self.floor, until.0);
        if count <= after(self.floor, self.next) { count } else { 0 }
    }

    /// The nodes before `until`, with their ids.
    pub(crate) fn until(&self, until: Number) -> impl Iterator<Item = (NodeId, &Node)> {
        let ids = (0..self.count_until(until)).map(|step| NodeId(self.tag | after(0, self.floor + step)));
        ids.filter_map(|id| self.get(id).map(|node| (id, node)))
    }

    /// Forgets the nodes before `until`. Says how many those were.
    pub(crate) fn forget(&mut self, until: Number) -> usize {
        let count = self.count_until(until);
        self.floor = after(0, self.floor + count);
        let mut gone = (after(self.base, self.floor) >> BITS) as usize;
        if self.floor == self.next {
            // Nothing is left: what comes next begins a chunk.
            gone = self.chunks.len();
            self.next = after(0, self.base + gone as u32 * CHUNK);
            self.floor = self.next;
        }
        self.base = after(0, self.base + gone as u32 * CHUNK);
        self.idle.extend(self.chunks.drain(..gone));
        self.settled.drain(..gone);
        count as usize
    }

    pub(crate) fn len(&self) -> usize {
        after(self.floor, self.next) as usize
    }

    pub(crate) fn bytes(&self) -> usize {
        (self.chunks.len() + self.idle.len()) * CHUNK as usize * std::mem::size_of::<Node>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(pool: &mut Pool, count: u64) -> Vec<NodeId> {
        (0..count).map(|key| pool.push(Node::place(key))).collect()
    }

    #[test]
    fn what_lies_before_the_floor_is_gone_and_nothing_else() {
        let mut pool = Pool::new(1, 1 << 20);
        pool.base = WRAP - 2 * CHUNK;
        (pool.floor, pool.next) = (pool.base, pool.base);
        let mut ids = push(&mut pool, 5000);
        let until = pool.next();
        ids.extend(push(&mut pool, 5000));
        assert_eq!(pool.until(until).map(|(id, _)| id).collect::<Vec<_>>(), ids[..5000]);
        assert_eq!(pool.forget(until), 5000);
        assert_eq!(pool.forget(until), 0, "it was passed");
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(pool.get(*id).is_some(), at >= 5000, "{at}");
        }
        assert_eq!((pool.get(NodeId::NONE).is_none(), pool.len()), (true, 5000));
    }

    #[test]
    fn memory_is_used_again() {
        let mut pool = Pool::new(0, 4 * CHUNK as usize);
        let mut most = 0;
        for round in 0..100_000u64 {
            if pool.is_full() {
                let oldest = pool.behind_oldest();
                assert_eq!(pool.forget(oldest), CHUNK as usize, "{round}");
            }
            push(&mut pool, 1);
            most = most.max(pool.bytes());
        }
        assert_eq!(most, 4 * CHUNK as usize * std::mem::size_of::<Node>());
        let all = pool.next();
        pool.forget(all);
        assert_eq!((pool.len(), pool.bytes()), (0, most));
        let ids = push(&mut pool, 3);
        assert_eq!(pool.until(pool.next()).count(), 3);
        assert!(ids.iter().all(|id| pool.alive(*id)));
    }
}
