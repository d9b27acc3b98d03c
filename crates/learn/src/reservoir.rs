//! Healthy durations of one service: what its work costs when nothing is wrong.

use hdrhistogram::Histogram;
use model::SparseHistogram;
use serde::{Deserialize, Serialize};

/// Past this many records all counts are halved, so that what is recent counts more.
const RECORDS_MAX: u64 = 20_000;

/// An hdrhistogram of durations in µs, in the bucket layout of [`SparseHistogram`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u32)>", into = "Vec<(u64, u32)>")]
pub struct Reservoir(Histogram<u32>);

impl Default for Reservoir {
    fn default() -> Self {
        Reservoir(
            Histogram::new_with_bounds(1, 3_600_000_000, 1).expect("one significant digit up to an hour is legal"),
        )
    }
}

impl PartialEq for Reservoir {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl Reservoir {
    /// Adds healthy durations.
    pub fn add(&mut self, durations: &SparseHistogram) {
        for (value_us, count) in &durations.0 {
            // The lowest value of the bucket: the pair names its highest, and recording that again is exact too.
            self.0.saturating_record_n(*value_us, (count.calls() as u32).max(u32::from(!count.is_zero())));
        }
        if self.0.len() > RECORDS_MAX {
            let halved = self.pairs().into_iter().map(|(value, count)| (value, count / 2)).collect();
            *self = Reservoir::from_pairs(halved);
        }
    }

    /// A quantile in milliseconds; `None` while fewer than `records_min` were seen.
    pub fn quantile_ms(&self, share: f64, records_min: u64) -> Option<f64> {
        (self.0.len() >= records_min.max(1)).then(|| self.0.value_at_quantile(share.clamp(0.0, 1.0)) as f64 / 1000.0)
    }

    /// The mean in milliseconds; `None` while fewer than `records_min` were seen.
    pub fn mean_ms(&self, records_min: u64) -> Option<f64> {
        (self.0.len() >= records_min.max(1)).then(|| self.0.mean() / 1000.0)
    }

    fn pairs(&self) -> Vec<(u64, u32)> {
        self.0.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect()
    }

    fn from_pairs(pairs: Vec<(u64, u32)>) -> Reservoir {
        let mut fresh = Reservoir::default();
        for (value, count) in pairs {
            fresh.0.saturating_record_n(value, count);
        }
        fresh
    }
}

impl From<Vec<(u64, u32)>> for Reservoir {
    fn from(pairs: Vec<(u64, u32)>) -> Reservoir {
        Reservoir::from_pairs(pairs)
    }
}

impl From<Reservoir> for Vec<(u64, u32)> {
    fn from(reservoir: Reservoir) -> Vec<(u64, u32)> {
        reservoir.pairs()
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
        for _ in 0..6 {
            reservoir.add(&SparseHistogram::from_pairs(vec![(4_095, Count::of(9_000))]));
        }
        let median = reservoir.quantile_ms(0.5, 1).expect("many records");
        assert!((3.9..4.4).contains(&median), "{median}");
        assert_eq!(Reservoir::default().quantile_ms(0.5, 1), None);
    }
}
