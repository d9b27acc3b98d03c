//! The spans that are settled when their window closes, unless that was done ahead. They are looked through piece by piece while
//! the window is open, so that its close, for which somebody waits, finds few.

use crate::store::NodeId;

/// Spans that are looked through at a time.
const PIECE: usize = 1024;

/// The spans of one window, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Remaining {
    ids: Vec<NodeId>,
    /// Those before this have been looked through; `kept` of them, moved to the front, were not settled then.
    looked: usize,
    kept: usize,
}

impl Remaining {
    #[inline]
    pub(crate) fn push(&mut self, id: NodeId) {
        self.ids.push(id);
    }

    /// Leaves out what is settled, from the front on, as long as that is most of what is met: what came later may have to
    /// wait for its slice.
    pub(crate) fn look(&mut self, is_settled: impl Fn(NodeId) -> bool) {
        while let Some(piece) = self.ids.get(self.looked..self.looked + PIECE) {
            if piece.iter().filter(|id| is_settled(**id)).count() < PIECE / 2 {
                break;
            }
            for at in self.looked..self.looked + PIECE {
                let id = self.ids[at];
                if !is_settled(id) {
                    self.ids[self.kept] = id;
                    self.kept += 1;
                }
            }
            self.looked += PIECE;
        }
    }

    /// What is not settled, in the order in which it came.
    pub(crate) fn rest(&self, is_settled: impl Fn(NodeId) -> bool) -> impl Iterator<Item = NodeId> {
        let (kept, new) = (&self.ids[..self.kept], &self.ids[self.looked..]);
        kept.iter().chain(new).copied().filter(move |id| !is_settled(*id))
    }

    /// Empty again, with memory for twice as much as this time.
    pub(crate) fn clear(&mut self) {
        let keep = self.ids.len() * 2;
        self.ids.clear();
        self.ids.shrink_to(keep);
        (self.looked, self.kept) = (0, 0);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ids.capacity() * std::mem::size_of::<NodeId>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const IDS: u32 = 10_000;

    #[test]
    fn what_is_left_does_not_depend_on_how_often_it_was_looked_through() {
        // One in seven is never settled ahead, the others a while after they came.
        let settled = |id: NodeId, now: u32| !id.0.is_multiple_of(7) && id.0 + 1500 < now;
        for every in [1, 100, 3000, u32::MAX] {
            let mut remaining = Remaining::default();
            for now in 0..IDS {
                remaining.push(NodeId(now));
                if now % every == 0 {
                    remaining.look(|id| settled(id, now));
                }
            }
            let rest: Vec<NodeId> = remaining.rest(|id| settled(id, IDS)).collect();
            assert_eq!(rest, (0..IDS).map(NodeId).filter(|id| !settled(*id, IDS)).collect::<Vec<_>>());
            remaining.clear();
            assert_eq!(remaining.rest(|_| false).count(), 0);
        }
    }

    #[test]
    fn few_are_looked_at_in_the_end_and_none_again_and_again() {
        let (mut remaining, asked) = (Remaining::default(), Cell::new(0));
        for now in 0..IDS {
            remaining.push(NodeId(now));
            remaining.look(|id| {
                asked.set(asked.get() + 1);
                id.0 + 5 < now
            });
        }
        let meanwhile = asked.replace(0);
        assert_eq!(
            remaining
                .rest(|id| {
                    asked.set(asked.get() + 1);
                    id.0 + 5 < IDS
                })
                .count(),
            5
        );
        assert!(asked.get() < 2 * PIECE, "{}", asked.get());
        assert!(meanwhile < 4 * IDS as usize, "{meanwhile}");
    }
}
