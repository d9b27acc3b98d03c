//! Healthy durations of one service: what its work costs when nothing is wrong.

use model::SparseHistogram;
use serde::{Deserialize, Serialize};

/// Past this many records all counts are halved, so that what is recent counts more.
const RECORDS_MAX: u64 = 20_000;

/// Durations in µs with their counts, sorted by duration: a service's own work spreads over a few dozen buckets, so a list
/// of those is a tenth of a whole histogram. Bounded by the bucket layout of [`SparseHistogram`], whose longest duration (an
/// hour) fits into 32 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub struct Reservoir {
    buckets: Vec<(u32, u32)>,
    records: u64,
}

impl Reservoir {
    /// Adds healthy durations.
    pub fn add(&mut self, durations: &SparseHistogram) {
        let mut at = 0;
        for (value_us, count) in &durations.0 {
            let value_us = u32::try_from(*value_us).unwrap_or(u32::MAX);
            let count = (count.calls() as u32).max(u32::from(!count.is_zero()));
            while self.buckets.get(at).is_some_and(|bucket| bucket.0 < value_us) {
                at += 1;
            }
            match self.buckets.get_mut(at) {
                Some(bucket) if bucket.0 == value_us => bucket.1 = bucket.1.saturating_add(count),
                _ => self.buckets.insert(at, (value_us, count)),
            }
            self.records = self.records.saturating_add(u64::from(count));
        }
        if self.records > RECORDS_MAX {
            self.buckets.iter_mut().for_each(|bucket| bucket.1 /= 2);
            self.buckets.retain(|bucket| bucket.1 > 0);
            self.records = total(&self.buckets);
        }
    }

    /// A quantile in milliseconds; `None` while fewer than `records_min` were seen.
    pub fn quantile_ms(&self, share: f64, records_min: u64) -> Option<f64> {
        if self.records < records_min.max(1) {
            return None;
        }
        let wanted = (libm::ceil(share.clamp(0.0, 1.0) * self.records as f64) as u64).max(1);
        let mut seen = 0;
        let at = self.buckets.iter().find(|bucket| {
            seen += u64::from(bucket.1);
            seen >= wanted
        });
        at.map(|bucket| f64::from(bucket.0) / 1000.0)
    }

    /// Brings it into the cache; the number says nothing.
    pub(crate) fn warm(&self) -> u64 {
        self.buckets.iter().step_by(8).fold(0, |sum, bucket| sum ^ u64::from(bucket.0))
    }
}

fn total(buckets: &[(u32, u32)]) -> u64 {
    buckets.iter().map(|bucket| u64::from(bucket.1)).sum()
}

impl From<Vec<(u32, u32)>> for Reservoir {
    fn from(buckets: Vec<(u32, u32)>) -> Reservoir {
        let records = total(&buckets);
        Reservoir { buckets, records }
    }
}

impl From<Reservoir> for Vec<(u32, u32)> {
    fn from(reservoir: Reservoir) -> Vec<(u32, u32)> {
        reservoir.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Count;

    #[test]
    fn durations_survive_a_round_trip_and_old_ones_fade() {
        let mut reservoir = Reservoir::default();
        reservoir.add(&SparseHistogram::from_pairs(vec![(1_000, Count::of(15_000)), (50_000, Count::of(10))]));
        assert_eq!(Reservoir::from(Vec::from(reservoir.clone())), reservoir);
        assert_eq!(reservoir.quantile_ms(0.0, 1), Some(1.0));
        assert_eq!(reservoir.quantile_ms(1.0, 1), Some(50.0));
        for _ in 0..6 {
            reservoir.add(&SparseHistogram::from_pairs(vec![(4_095, Count::of(9_000))]));
        }
        assert_eq!(reservoir.quantile_ms(0.5, 1), Some(4.095));
        assert!(reservoir.records <= RECORDS_MAX);
        assert_eq!(Reservoir::default().quantile_ms(0.5, 1), None);
    }
}
