//! A closed histogram: what an hdrhistogram recorded, as sorted pairs.

use crate::Count;
use serde::{Deserialize, Serialize};

/// Durations as (bucket's highest equivalent value in microseconds, weighted count), sorted by value, each value once.
/// All writers use the same bucket layout (1 µs … 1 h, one significant digit: at most 6 % wide), so merging two of them
/// merges equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseHistogram(pub Vec<(u64, Count)>);

impl SparseHistogram {
    /// A histogram from pairs in any order; equal values are added up.
    pub fn from_pairs(mut pairs: Vec<(u64, Count)>) -> SparseHistogram {
        pairs.sort_unstable_by_key(|pair| pair.0);
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        SparseHistogram(pairs)
    }

    /// Adds `other` to this histogram.
    pub fn merge(&mut self, other: &SparseHistogram) {
        if other.0.is_empty() {
            return;
        }
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut pairs = std::mem::take(&mut self.0);
        pairs.extend_from_slice(&other.0);
        *self = SparseHistogram::from_pairs(pairs);
    }

    /// Everything that was recorded.
    pub fn total(&self) -> Count {
        self.0.iter().map(|pair| pair.1).sum()
    }

    /// Is nothing recorded?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest value at or below which `permille` of the records lie, in microseconds; `None` if empty.
    pub fn quantile_us(&self, permille: u32) -> Option<u64> {
        let total = u128::from(self.total().0);
        let wanted = (total * u128::from(permille.min(1000))).div_ceil(1000).max(1);
        let mut seen = 0u128;
        for (value_us, count) in &self.0 {
            seen += u128::from(count.0);
            if seen >= wanted {
                return Some(*value_us);
            }
        }
        self.0.last().map(|pair| pair.0)
    }

    /// The weighted count of records above `value_us`.
    pub fn above(&self, value_us: u64) -> Count {
        self.0.iter().filter(|pair| pair.0 > value_us).map(|pair| pair.1).sum()
    }

    /// The mean in microseconds; `None` if empty.
    pub fn mean_us(&self) -> Option<u64> {
        let total = u128::from(self.total().0);
        let sum: u128 = self.0.iter().map(|(value, count)| u128::from(*value) * u128::from(count.0)).sum();
        (total > 0).then(|| (sum / total) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_equal_values_and_keeps_the_order() {
        let mut left = SparseHistogram::from_pairs(vec![(10, Count::of(1)), (5, Count::of(2))]);
        left.merge(&SparseHistogram::from_pairs(vec![(10, Count::of(3)), (20, Count::of(4))]));
        assert_eq!(left.0, vec![(5, Count::of(2)), (10, Count::of(4)), (20, Count::of(4))]);
        assert_eq!(left.quantile_us(0), Some(5));
        assert_eq!(left.quantile_us(500), Some(10));
        assert_eq!(left.quantile_us(1000), Some(20));
        assert_eq!(left.above(10), Count::of(4));
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(SparseHistogram::default().quantile_us(500), None);
    }
}
