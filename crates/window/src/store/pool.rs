//! A pool of nodes in two generations: nodes are only ever forgotten a generation at a time, the oldest first.

use super::node::{Node, NodeId};

const NUMBER: u32 = 0x7fff_ffff;
/// Past this number a new generation starts again at zero; the old one keeps its high numbers.
const WRAP: u32 = 1 << 30;
/// The fewest nodes by which a pool grows.
const STEP: usize = 256;
/// Nodes that one span may need: its own, its parent's place, and a twin.
const SPARE: usize = 3;

/// Nodes numbered upwards; what is not in a generation's range is gone.
#[derive(Debug)]
pub(crate) struct Pool {
    tag: u32,
    young_base: u32,
    old_base: u32,
    young: Vec<Node>,
    old: Vec<Node>,
    generation_max: usize,
}

impl Pool {
    /// An empty pool of at most `generation_max` nodes in each generation; `tag` is 0 or 1.
    pub(crate) fn new(tag: u32, generation_max: usize) -> Pool {
        let generation_max = generation_max.clamp(STEP, WRAP as usize - 1);
        Pool { tag: tag << 31, young_base: 0, old_base: 0, young: Vec::new(), old: Vec::new(), generation_max }
    }

    #[inline]
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        let number = id.0 & NUMBER;
        let young = number.wrapping_sub(self.young_base) as usize;
        if young < self.young.len() {
            return Some(&self.young[young]);
        }
        self.old.get(number.wrapping_sub(self.old_base) as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        let number = id.0 & NUMBER;
        let young = number.wrapping_sub(self.young_base) as usize;
        if young < self.young.len() {
            return Some(&mut self.young[young]);
        }
        self.old.get_mut(number.wrapping_sub(self.old_base) as usize)
    }

    #[inline]
    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.tag | (self.young_base + self.young.len() as u32));
        if self.young.len() == self.young.capacity() {
            self.grow();
        }
        self.young.push(node);
        id
    }

    pub(crate) fn alive(&self, id: NodeId) -> bool {
        self.get(id).is_some()
    }

    #[cold]
    fn grow(&mut self) {
        let wanted = STEP.max(self.young.capacity() / 2);
        self.young.reserve_exact(wanted.min(self.generation_max.saturating_sub(self.young.len())).max(1));
    }

    /// Might one more span not fit into the young generation?
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.young.len() + SPARE > self.generation_max
    }

    /// The nodes of the old generation, with their ids.
    pub(crate) fn old(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let base = self.tag | self.old_base;
        self.old.iter().enumerate().map(move |(at, node)| (NodeId(base + at as u32), node))
    }

    /// The young generation becomes the old one, whose nodes are gone but whose memory serves again.
    pub(crate) fn turn(&mut self) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.old_base = self.young_base;
        let next = self.young_base + self.old.len() as u32;
        self.young_base = if next > WRAP { 0 } else { next };
    }

    pub(crate) fn old_len(&self) -> usize {
        self.old.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * std::mem::size_of::<Node>()
    }
}
