//! A histogram while its window is open: a few buckets at first, dense counts from a pool once values spread.
//!
//! The buckets are those of an hdrhistogram of one significant digit, 1 µs to 1 h: 32 linear ones, then 16 to each doubling.
//! It is not that crate's own, because recording is a good part of what a call costs: here it is one addition to a count of
//! four bytes, and a row's durations share a few cache lines. A test compares the two.

use super::few::{FEW, Few};
use model::{Count, SparseHistogram};

/// The longest duration that is told apart, µs: an hour.
const HIGHEST_US: u64 = 3_600_000_000;
/// Buckets up to that.
const BUCKETS: usize = 464;
/// Distinct values that are told apart where there is no memory for a histogram.
const CROWDED: usize = 48;

/// The bucket of a duration.
#[inline]
fn bucket(value_us: u64) -> usize {
    let shift = (value_us | 16).ilog2() - 4;
    16 * shift as usize + (value_us >> shift) as usize
}

/// The highest value of a bucket.
#[inline]
fn highest(bucket: usize) -> u64 {
    let shift = (bucket / 16).saturating_sub(1);
    (((bucket - 16 * shift) as u64 + 1) << shift) - 1
}

/// The highest value of the bucket of `value_us`.
#[inline]
pub(crate) fn highest_equivalent(value_us: u64) -> u64 {
    highest(bucket(value_us.min(HIGHEST_US)))
}

/// Counts by bucket, and which of them are not zero.
#[derive(Debug)]
struct Dense {
    counts: [u32; BUCKETS],
    used: [u64; BUCKETS.div_ceil(64)],
}

impl Dense {
    const EMPTY: Dense = Dense { counts: [0; BUCKETS], used: [0; BUCKETS.div_ceil(64)] };

    /// Adds a count to a bucket; not if its four bytes cannot hold it.
    #[inline]
    fn add(&mut self, bucket: usize, count: u64) -> bool {
        let now = &mut self.counts[bucket];
        let sum = u64::from(*now).saturating_add(count);
        let Ok(sum) = u32::try_from(sum) else { return false };
        *now = sum;
        self.used[bucket / 64] |= 1 << (bucket % 64);
        true
    }

    /// All pairs of highest value and count, ascending; empty again.
    fn drain(&mut self) -> Vec<(u64, Count)> {
        let mut pairs = Vec::with_capacity(self.used.iter().map(|bits| bits.count_ones() as usize).sum());
        for (word, used) in self.used.iter_mut().enumerate() {
            let mut bits = std::mem::take(used);
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                let count = std::mem::take(&mut self.counts[at]);
                pairs.push((highest(at), Count(u64::from(count))));
                bits &= bits - 1;
            }
        }
        pairs
    }
}

/// Dense counts that wait to be used again, and how many may be in use.
#[derive(Debug)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "the boxes go back and forth, and recorders stay small")]
    idle: Vec<Box<Dense>>,
    made: usize,
    made_max: usize,
}

impl Pool {
    /// What one takes, bytes.
    pub(crate) const EACH: usize = size_of::<Dense>();

    pub(crate) fn new(budget_bytes: usize) -> Pool {
        Pool { idle: Vec::new(), made: 0, made_max: budget_bytes / Pool::EACH }
    }

    fn take(&mut self) -> Option<Box<Dense>> {
        if let Some(dense) = self.idle.pop() {
            return Some(dense);
        }
        if self.made == self.made_max {
            return None;
        }
        self.made += 1;
        Some(Box::new(Dense::EMPTY))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.made * Pool::EACH + self.idle.capacity() * 8
    }
}

/// Weighted durations. Where the pool is empty it stays a list, and coarsens.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    dense: Option<Box<Dense>>,
    few: Few,
    /// Highest values of buckets and their counts: what the others cannot hold.
    rest: Vec<(u64, u64)>,
}

impl Recorder {
    #[inline]
    pub(crate) fn record(&mut self, value_us: u64, count: Count, pool: &mut Pool) {
        let bucket = bucket(value_us.min(HIGHEST_US));
        let added = match &mut self.dense {
            Some(dense) => dense.add(bucket, count.0),
            None => self.few.add(bucket, count.0),
        };
        if !added {
            self.record_more(bucket, count.0, pool);
        }
    }

    #[cold]
    fn record_more(&mut self, bucket: usize, count: u64, pool: &mut Pool) {
        let value = highest(bucket);
        if let Some(known) = self.rest.iter_mut().find(|pair| pair.0 == value) {
            known.1 = known.1.saturating_add(count);
            return;
        }
        if self.few.is_full()
            && let Some(mut dense) = pool.take()
        {
            self.few.drain().for_each(|(bucket, count)| assert!(dense.add(bucket, count), "it is empty"));
            let added = dense.add(bucket, count);
            self.dense = Some(dense);
            if added {
                return;
            }
        }
        if self.dense.is_some() || self.rest.len() < CROWDED - FEW {
            self.rest.push((value, count));
        } else {
            self.join_nearest(value, count);
        }
    }

    /// Memory is short: past a bound a value joins the nearest one that is there, from above if possible.
    fn join_nearest(&mut self, value: u64, count: u64) {
        let far = |other: u64| (other < value, other.abs_diff(value));
        let rest = self.rest.iter_mut().min_by_key(|pair| far(pair.0)).expect("a crowded list is not empty");
        let few = self.few.buckets().min_by_key(|bucket| far(highest(*bucket)));
        let nearer = few.filter(|few| far(highest(*few)) < far(rest.0));
        if !nearer.is_some_and(|bucket| self.few.add(bucket, count)) {
            rest.1 = rest.1.saturating_add(count);
        }
    }

    /// What was recorded; the recorder is empty again.
    pub(crate) fn close(&mut self, pool: &mut Pool) -> SparseHistogram {
        let mut pairs = match self.dense.take() {
            Some(mut dense) => {
                let pairs = dense.drain();
                pool.idle.push(dense);
                if self.rest.is_empty() {
                    return SparseHistogram(pairs);
                }
                pairs
            }
            None => self.few.drain().map(|(bucket, count)| (highest(bucket), Count(count))).collect(),
        };
        pairs.extend(self.rest.drain(..).map(|(value, count)| (value, Count(count))));
        SparseHistogram::from_pairs(pairs)
    }

    /// Memory of the list; histograms count in the pool.
    pub(crate) fn bytes(&self) -> usize {
        self.rest.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    fn layout() -> Histogram<u64> {
        Histogram::new_with_bounds(1, HIGHEST_US, 1).expect("constant bounds")
    }

    #[test]
    fn the_buckets_are_those_of_an_hdrhistogram() {
        let layout = layout();
        let mut value = 1u64;
        while value < HIGHEST_US {
            for near in [value - 1, value, value + 1] {
                assert_eq!(highest_equivalent(near), layout.highest_equivalent(near), "{near}");
            }
            value += 1 + value / 7;
        }
        assert_eq!(layout.distinct_values(), BUCKETS);
        assert_eq!((bucket(0), highest(0)), (0, 0));
        assert!(bucket(HIGHEST_US) < BUCKETS);
    }

    #[test]
    fn what_four_bytes_cannot_hold_is_not_lost() {
        let mut pool = Pool::new(1 << 20);
        let mut recorder = Recorder::default();
        let huge = u64::from(u32::MAX) + 7;
        (1..=20).for_each(|value| recorder.record(value, Count(huge), &mut pool));
        (1..=20).for_each(|value| recorder.record(value, Count(u64::from(u32::MAX) - 1), &mut pool));
        (1..=20).for_each(|value| recorder.record(value, Count(9), &mut pool));
        let closed = recorder.close(&mut pool);
        let each = Count(huge + u64::from(u32::MAX) + 8);
        assert_eq!(closed, SparseHistogram((1..=20).map(|value| (value, each)).collect()));
        assert!(recorder.close(&mut pool).is_empty());
    }

    #[test]
    fn where_memory_is_short_a_value_joins_its_nearest_and_none_is_lost() {
        let (mut none, mut crowded) = (Pool::new(0), Recorder::default());
        // Those that came first lie in the row, the others in the list; what comes then is near to one of either.
        let values = std::iter::successors(Some(100u64), |value| Some(value * 27 / 20)).map(highest_equivalent);
        let known: Vec<u64> = values.take(CROWDED).collect();
        known.iter().for_each(|value| crowded.record(*value, Count::of(1), &mut none));
        let (first, last) = (known[0], known[CROWDED - 1]);
        [first - first / 10, last - last / 10].iter().for_each(|near| crowded.record(*near, Count::of(5), &mut none));
        let SparseHistogram(pairs) = crowded.close(&mut none);
        let of = |value| pairs.iter().find(|pair| pair.0 == value).map(|pair| pair.1);
        assert_eq!(pairs.iter().map(|pair| pair.1).sum::<Count>(), Count::of(CROWDED as u64 + 10));
        assert_eq!((pairs.len(), of(first), of(last)), (CROWDED, Some(Count::of(6)), Some(Count::of(6))), "{pairs:?}");
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
