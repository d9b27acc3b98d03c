//! Spans by the slice after which they are looked at: lists through one piece of memory, so that no list grows by itself.

use crate::store::NodeId;
use crate::tick::{SLICES, Tick};

/// Ends a list.
const END: u32 = u32::MAX;

/// The lists of one window.
#[derive(Debug)]
pub(crate) struct Due {
    /// The entry that came last, of each slice.
    last: [u32; SLICES as usize],
    /// Spans, and the entry that came before in the same list.
    entries: Vec<(NodeId, u32)>,
}

impl Due {
    pub(crate) fn new() -> Due {
        Due { last: [END; SLICES as usize], entries: Vec::new() }
    }

    /// The span is looked at after this slice.
    #[inline]
    pub(crate) fn push(&mut self, tick: Tick, id: NodeId) {
        let last = &mut self.last[tick.slice()];
        self.entries.push((id, *last));
        *last = self.entries.len() as u32 - 1;
    }

    /// Fills `ids` with what is looked at after this slice, in the order in which it came; forgets it.
    pub(crate) fn take(&mut self, tick: Tick, ids: &mut Vec<NodeId>) {
        ids.clear();
        let mut at = std::mem::replace(&mut self.last[tick.slice()], END);
        while let Some((id, before)) = self.entries.get(at as usize) {
            ids.push(*id);
            at = *before;
        }
        ids.reverse();
    }

    /// Empty again, with memory for twice as much as this time.
    pub(crate) fn clear(&mut self) {
        let keep = self.entries.len() * 2;
        self.last = [END; SLICES as usize];
        self.entries.clear();
        self.entries.shrink_to(keep);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * std::mem::size_of::<(NodeId, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slice_gives_its_own_once_in_the_order_of_arrival() {
        let (mut due, mut ids) = (Due::new(), vec![NodeId(9)]);
        for number in 0..100 {
            due.push(Tick(640 + u64::from(number % 3)), NodeId(number));
        }
        due.take(Tick(641), &mut ids);
        assert_eq!(ids, (0..100).filter(|number| number % 3 == 1).map(NodeId).collect::<Vec<_>>());
        due.push(Tick(642), NodeId(500));
        due.take(Tick(642), &mut ids);
        assert_eq!((ids.len(), ids.last()), (34, Some(&NodeId(500))));
        for tick in [641, 642, 700] {
            due.take(Tick(tick), &mut ids);
            assert!(ids.is_empty());
        }
        due.clear();
        due.take(Tick(640), &mut ids);
        assert!(ids.is_empty());
    }
}
