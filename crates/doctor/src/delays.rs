//! Delays in milliseconds as a small histogram.

/// Four buckets to each doubling, up to 2^40 ms.
const BUCKETS: usize = 4 * 42;

/// How late something was, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
    max_ms: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Delays { counts: Box::new([0; BUCKETS]), total: 0, max_ms: 0 }
    }
}

impl Delays {
    pub(crate) fn record(&mut self, delay_ms: u64) {
        self.counts[bucket(delay_ms)] += 1;
        self.total += 1;
        self.max_ms = self.max_ms.max(delay_ms);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn max_ms(&self) -> u64 {
        self.max_ms
    }

    /// At or below this lie `permille` of them, milliseconds (a quarter too high at most); zero if there are none.
    pub(crate) fn quantile_ms(&self, permille: u64) -> u64 {
        let wanted = (self.total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_ms(at).min(self.max_ms);
            }
        }
        self.max_ms
    }

    pub(crate) fn merge(&mut self, other: &Delays) {
        self.counts.iter_mut().zip(other.counts.iter()).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

fn bucket(delay_ms: u64) -> usize {
    if delay_ms < 4 {
        return delay_ms as usize;
    }
    let log2 = delay_ms.ilog2();
    let quarter = (delay_ms >> (log2 - 2)) & 3;
    ((log2 as usize - 1) * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The largest delay in the bucket.
fn upper_ms(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (log2, quarter) = (bucket / 4 + 1, (bucket % 4) as u64);
    ((4 + quarter + 1) << (log2 - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_lies_in_a_bucket_whose_end_is_near() {
        for delay_ms in [0, 1, 3, 4, 5, 7, 8, 9, 100, 1023, 1024, 60_000, 86_400_000] {
            let upper = upper_ms(bucket(delay_ms));
            assert!(upper >= delay_ms && upper <= delay_ms + delay_ms / 4 + 1, "{delay_ms}: {upper}");
        }
        let mut delays = Delays::default();
        (0..100).for_each(|delay| delays.record(delay * 10));
        assert!((490..=620).contains(&delays.quantile_ms(500)), "{}", delays.quantile_ms(500));
        assert_eq!(delays.quantile_ms(1000), 990);
    }
}
