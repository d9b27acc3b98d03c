//! The few traces that show what a row says: failed before slow before any, then the smallest hash.

use model::TraceId;
use serde::{Deserialize, Serialize};

const KEPT: usize = 4;

/// A trace with its rank; the least is kept. The rank depends on the call alone, so the choice does not depend on who met
/// it first, nor on how many shards there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ranked {
    pub(crate) rank: u8,
    pub(crate) hash: u64,
    pub(crate) trace: TraceId,
}

/// Up to four traces, sorted by rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exemplars {
    kept: [Ranked; KEPT],
    len: u8,
}

/// Failed calls first, then the slower doubling of duration.
#[inline]
pub(crate) fn rank(failed: bool, duration_us: u64) -> u8 {
    let doubling = 63 - (duration_us | 1).ilog2() as u8;
    if failed { doubling } else { 64 + doubling }
}

impl Exemplars {
    /// Would a call of this rank be kept at all?
    #[inline]
    pub(crate) fn wants(&self, rank: u8) -> bool {
        (self.len as usize) < KEPT || rank <= self.kept[KEPT - 1].rank
    }

    pub(crate) fn offer(&mut self, one: Ranked) {
        let mut len = self.len as usize;
        if let Some(at) = self.kept[..len].iter().position(|kept| kept.trace == one.trace) {
            if self.kept[at] <= one {
                return;
            }
            self.kept.copy_within(at + 1..len, at);
            len -= 1;
        }
        let at = self.kept[..len].partition_point(|kept| *kept < one);
        if at == KEPT {
            return;
        }
        let end = len.min(KEPT - 1);
        self.kept.copy_within(at..end, at + 1);
        self.kept[at] = one;
        self.len = (end + 1) as u8;
    }

    pub(crate) fn kept(&self) -> &[Ranked] {
        &self.kept[..self.len as usize]
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_ones_win_then_slow_ones_then_the_smallest_hash_in_any_order() {
        let one = |rank, id: u128| Ranked { rank, hash: id as u64, trace: TraceId(id) };
        let all = [
            one(rank(false, 100), 1),
            one(rank(false, 100_000), 2),
            one(rank(true, 50), 3),
            one(rank(false, 100), 4),
            one(rank(false, 100), 5),
            one(rank(true, 50), 1),
        ];
        let mut expected: Option<Exemplars> = None;
        for turn in 0..all.len() {
            let mut kept = Exemplars::default();
            (0..all.len()).for_each(|step| kept.offer(all[(turn + step) % all.len()]));
            let ids: Vec<u128> = kept.kept().iter().map(|ranked| ranked.trace.0).collect();
            assert_eq!(ids, [1, 3, 2, 4]);
            assert_eq!(expected.get_or_insert(kept.clone()).kept(), kept.kept());
        }
    }
}
