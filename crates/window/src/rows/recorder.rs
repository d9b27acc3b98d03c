//! A histogram while its window is open: a short list at first, an `hdrhistogram` from a pool once values spread.

use hdrhistogram::Histogram;
use model::{Count, SparseHistogram};

/// The longest duration that is told apart, µs: an hour.
const HIGHEST_US: u64 = 3_600_000_000;
/// Distinct values that a short list holds.
const FEW: usize = 12;
/// Distinct values that a list holds where there is no memory for a histogram.
const CROWDED: usize = 48;

/// The highest value of the bucket of `value_us`: the layout of an hdrhistogram of one significant digit (32 linear
/// buckets, then 16 to each doubling).
#[inline]
pub(crate) fn highest_equivalent(value_us: u64) -> u64 {
    let value = value_us.min(HIGHEST_US);
    if value < 32 {
        return value;
    }
    let shift = value.ilog2() - 4;
    (((value >> shift) + 1) << shift) - 1
}

/// Histograms that wait to be used again, and how many may be in use.
#[derive(Debug)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "the boxes go back and forth, and recorders stay small")]
    idle: Vec<Box<Histogram<u64>>>,
    made: usize,
    made_max: usize,
}

impl Pool {
    /// What one histogram takes, bytes.
    pub(crate) const EACH: usize = 464 * 8 + 128;

    pub(crate) fn new(budget_bytes: usize) -> Pool {
        Pool { idle: Vec::new(), made: 0, made_max: budget_bytes / Pool::EACH }
    }

    fn take(&mut self) -> Option<Box<Histogram<u64>>> {
        if let Some(histogram) = self.idle.pop() {
            return Some(histogram);
        }
        if self.made == self.made_max {
            return None;
        }
        let histogram = Histogram::new_with_bounds(1, HIGHEST_US, 1).ok()?;
        self.made += 1;
        Some(Box::new(histogram))
    }

    fn give_back(&mut self, mut histogram: Box<Histogram<u64>>) {
        histogram.reset();
        self.idle.push(histogram);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.made * Pool::EACH + self.idle.capacity() * 8
    }
}

/// Weighted durations. Where the pool is empty it stays a list, and coarsens.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    few: Vec<(u64, u64)>,
    dense: Option<Box<Histogram<u64>>>,
}

impl Recorder {
    #[inline]
    pub(crate) fn record(&mut self, value_us: u64, count: Count, pool: &mut Pool) {
        let value = value_us.min(HIGHEST_US);
        if let Some(dense) = &mut self.dense {
            dense.saturating_record_n(value, count.0);
            return;
        }
        self.record_few(highest_equivalent(value), count, pool);
    }

    fn record_few(&mut self, value: u64, count: Count, pool: &mut Pool) {
        if let Some(known) = self.few.iter_mut().find(|pair| pair.0 == value) {
            known.1 = known.1.saturating_add(count.0);
            return;
        }
        if self.few.len() < FEW {
            self.few.push((value, count.0));
            return;
        }
        let Some(mut dense) = pool.take() else {
            self.record_crowded(value, count);
            return;
        };
        for (value, count) in self.few.drain(..) {
            dense.saturating_record_n(value, count);
        }
        dense.saturating_record_n(value, count.0);
        self.dense = Some(dense);
    }

    /// Memory is short: past a bound a value joins the nearest one that is there, from above if possible.
    #[cold]
    fn record_crowded(&mut self, value: u64, count: Count) {
        if self.few.len() < CROWDED {
            self.few.push((value, count.0));
            return;
        }
        let nearest = self.few.iter_mut().min_by_key(|pair| (pair.0 < value, pair.0.abs_diff(value)));
        let nearest = nearest.expect("a crowded list is not empty");
        nearest.1 = nearest.1.saturating_add(count.0);
    }

    /// What was recorded; the recorder is empty again.
    pub(crate) fn close(&mut self, pool: &mut Pool) -> SparseHistogram {
        if let Some(dense) = self.dense.take() {
            let mut pairs = Vec::with_capacity(48);
            pairs.extend(dense.iter_recorded().map(|step| (step.value_iterated_to(), Count(step.count_at_value()))));
            pool.give_back(dense);
            return SparseHistogram(pairs);
        }
        let pairs = self.few.drain(..).map(|(value, count)| (value, Count(count))).collect();
        SparseHistogram::from_pairs(pairs)
    }

    /// Memory of the list; histograms count in the pool.
    pub(crate) fn bytes(&self) -> usize {
        self.few.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Histogram<u64> {
        Histogram::new_with_bounds(1, HIGHEST_US, 1).expect("constant bounds")
    }

    #[test]
    fn the_short_list_uses_the_buckets_of_the_histogram() {
        let layout = layout();
        let mut value = 1u64;
        while value < HIGHEST_US {
            for near in [value - 1, value, value + 1] {
                assert_eq!(highest_equivalent(near), layout.highest_equivalent(near), "{near}");
            }
            value += 1 + value / 7;
        }
        assert_eq!(layout.distinct_values(), 464);
    }

    #[test]
    fn short_and_long_give_the_same_pairs() {
        let values: Vec<u64> = (0..200u64).map(|step| step * 7919 % 40 * 1000).collect();
        let (mut none, mut many) = (Pool::new(0), Pool::new(1 << 20));
        let (mut short, mut long) = (Recorder::default(), Recorder::default());
        for value in &values {
            short.record(*value, Count::of(1), &mut none);
            long.record(*value, Count::of(1), &mut many);
        }
        assert!(long.dense.is_some() && short.dense.is_none());
        let closed = short.close(&mut none);
        assert_eq!(closed, long.close(&mut many));
        assert_eq!(closed.total(), Count::of(200));
        assert!(short.close(&mut none).is_empty() && long.close(&mut many).is_empty());
    }
}
