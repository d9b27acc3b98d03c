//! A decaying histogram of durations: quantiles of the last half-lives.

use model::SparseHistogram;
use serde::{Deserialize, Serialize};

/// Buckets lighter than this many calls are dropped while decaying, which bounds the histogram by what is recent.
const WEIGHT_MIN: f32 = 1e-3;

/// Durations in µs with decayed weights, sorted by duration. Bounded by the bucket layout of [`SparseHistogram`], whose
/// longest duration (an hour) fits into 32 bits: small, because thousands of these are visited every second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency(Vec<(u32, f32)>);

impl Latency {
    /// The smallest duration at or below which `share` (0..1) of the weight lies, in µs; `None` if nothing is known.
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let wanted = self.weight() * share.clamp(0.0, 1.0);
        let mut seen = 0.0;
        for (value_us, weight) in &self.0 {
            seen += f64::from(*weight);
            if seen >= wanted {
                return Some(u64::from(*value_us));
            }
        }
        self.0.last().map(|bucket| u64::from(bucket.0))
    }

    /// The same in milliseconds; zero if nothing is known.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.quantile_us(share).map_or(0.0, |us| us as f64 / 1000.0)
    }

    /// The decayed number of calls behind it.
    pub fn weight(&self) -> f64 {
        self.0.iter().map(|bucket| f64::from(bucket.1)).sum()
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        let factor = factor as f32;
        let mut light = false;
        for bucket in &mut self.0 {
            bucket.1 *= factor;
            light |= bucket.1 < WEIGHT_MIN;
        }
        if light {
            self.0.retain(|bucket| bucket.1 >= WEIGHT_MIN);
        }
    }

    /// Adds what was recorded: one pass, and no new memory where all buckets are there already, which is the usual case.
    pub(crate) fn add(&mut self, recorded: &SparseHistogram) {
        let mut at = 0;
        for (value_us, count) in &recorded.0 {
            let value_us = u32::try_from(*value_us).unwrap_or(u32::MAX);
            while self.0.get(at).is_some_and(|bucket| bucket.0 < value_us) {
                at += 1;
            }
            match self.0.get_mut(at) {
                Some(bucket) if bucket.0 == value_us => bucket.1 += count.calls() as f32,
                _ => self.0.insert(at, (value_us, count.calls() as f32)),
            }
        }
    }

    /// Brings it into the cache, eight buckets (a line of it) at a time; the number says nothing.
    pub(crate) fn warm(&self) -> u32 {
        self.0.iter().step_by(8).fold(0, |sum, bucket| sum ^ bucket.0)
    }
}

/// Brings what was recorded into the cache, as [`Latency::warm`] does; the number says nothing.
pub(crate) fn warm(recorded: &SparseHistogram) -> u64 {
    recorded.0.iter().step_by(4).fold(0, |sum, pair| sum ^ pair.0)
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
