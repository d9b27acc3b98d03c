//! The first buckets of a histogram, in the row itself: most rows of a window see few durations, and a list of their own would be
//! one more place in memory to wait for.

/// Buckets that are told apart.
pub(super) const FEW: usize = 12;
/// No bucket.
const NONE: u16 = u16::MAX;

/// Some buckets, in the order in which they came, and their counts.
#[derive(Debug)]
pub(super) struct Few {
    counts: [u32; FEW],
    buckets: [u16; FEW],
}

impl Default for Few {
    fn default() -> Few {
        Few { counts: [0; FEW], buckets: [NONE; FEW] }
    }
}

impl Few {
    /// Adds a count to a bucket; not if there is no room for it, or its four bytes cannot hold it.
    #[inline]
    pub(super) fn add(&mut self, bucket: usize, count: u64) -> bool {
        let bucket = bucket as u16;
        let with = |wanted| (0..FEW).fold(0, |bits, at| bits | u32::from(self.buckets[at] == wanted) << at);
        let (there, free) = (with(bucket), with(NONE));
        let at = if there != 0 { there } else { free }.trailing_zeros() as usize;
        let Some(now) = self.counts.get_mut(at) else { return false };
        let Ok(sum) = u32::try_from(u64::from(*now).saturating_add(count)) else { return false };
        (*now, self.buckets[at]) = (sum, bucket);
        true
    }

    pub(super) fn is_full(&self) -> bool {
        self.buckets[FEW - 1] != NONE
    }

    pub(super) fn buckets(&self) -> impl Iterator<Item = usize> + '_ {
        self.buckets.iter().filter(|bucket| **bucket != NONE).map(|bucket| usize::from(*bucket))
    }

    /// All buckets and their counts, in the order in which they came; empty again.
    pub(super) fn drain(&mut self) -> impl ExactSizeIterator<Item = (usize, u64)> + use<> {
        let Few { counts, buckets } = std::mem::take(self);
        let used = buckets.iter().take_while(|bucket| **bucket != NONE).count();
        buckets.into_iter().zip(counts).take(used).map(|(bucket, count)| (usize::from(bucket), u64::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_refused_and_nothing_else() {
        let mut few = Few::default();
        (0..FEW).for_each(|bucket| assert!(few.add(bucket * 3, 1)));
        assert!(few.is_full() && few.add(9, 4) && !few.add(1, 1));
        assert!(!few.add(3, u64::from(u32::MAX)) && few.add(3, u64::from(u32::MAX) - 1));
        let counted: Vec<_> = few.drain().filter(|(_, count)| *count > 1).collect();
        assert_eq!(counted, [(3, u64::from(u32::MAX)), (9, 5)]);
        assert!(!few.is_full() && few.drain().len() == 0);
    }
}
