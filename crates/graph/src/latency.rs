//! A decaying histogram of durations: quantiles of the last half-lives.

use model::SparseHistogram;
use serde::{Deserialize, Serialize};

/// Buckets lighter than this many calls are dropped while decaying, which bounds the histogram by what is recent.
const WEIGHT_MIN: f64 = 1e-3;

/// Durations in µs with decayed weights, sorted by duration. Bounded by the bucket layout of [`SparseHistogram`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency(Vec<(u64, f64)>);

impl Latency {
    /// The smallest duration at or below which `share` (0..1) of the weight lies, in µs; `None` if nothing is known.
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let wanted = self.weight() * share.clamp(0.0, 1.0);
        let mut seen = 0.0;
        for (value_us, weight) in &self.0 {
            seen += weight;
            if seen >= wanted {
                return Some(*value_us);
            }
        }
        self.0.last().map(|bucket| bucket.0)
    }

    /// The same in milliseconds; zero if nothing is known.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.quantile_us(share).map_or(0.0, |us| us as f64 / 1000.0)
    }

    /// The decayed number of calls behind it.
    pub fn weight(&self) -> f64 {
        self.0.iter().map(|bucket| bucket.1).sum()
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        for bucket in &mut self.0 {
            bucket.1 *= factor;
        }
        self.0.retain(|bucket| bucket.1 >= WEIGHT_MIN);
    }

    pub(crate) fn add(&mut self, recorded: &SparseHistogram) {
        if recorded.is_empty() || self.add_in_place(recorded) {
            return;
        }
        let old = std::mem::take(&mut self.0);
        let mut merged = Vec::with_capacity(old.len() + recorded.0.len());
        let mut left = old.into_iter().peekable();
        let mut right = recorded.0.iter().map(|(value, count)| (*value, count.calls())).peekable();
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let sum = (a.0, a.1 + b.1);
                    left.next();
                    right.next();
                    sum
                }
                (Some(a), Some(b)) if a.0 > b.0 => right.next().expect("peeked"),
                (None, Some(_)) => right.next().expect("peeked"),
                (Some(_), _) => left.next().expect("peeked"),
                (None, None) => break,
            };
            merged.push(next);
        }
        self.0 = merged;
    }

    /// The usual case: all buckets are there already.
    fn add_in_place(&mut self, recorded: &SparseHistogram) -> bool {
        let mut buckets = self.0.iter();
        if !recorded.0.iter().all(|(value, _)| buckets.any(|bucket| bucket.0 == *value)) {
            return false;
        }
        let mut recorded = recorded.0.iter().peekable();
        for bucket in &mut self.0 {
            if let Some((_, count)) = recorded.next_if(|(value, _)| *value == bucket.0) {
                bucket.1 += count.calls();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Count;

    #[test]
    fn old_durations_fade_behind_new_ones() {
        let mut latency = Latency::default();
        latency.add(&SparseHistogram::from_pairs(vec![(1000, Count::of(100))]));
        for _ in 0..10 {
            latency.decay(0.5);
            latency.add(&SparseHistogram::from_pairs(vec![(9000, Count::of(10)), (500, Count::of(1))]));
        }
        assert_eq!(latency.quantile_us(0.5), Some(9000));
        assert_eq!(latency.quantile_us(0.0), Some(500));
        assert_eq!(Latency::default().quantile_us(0.5), None);
    }
}
