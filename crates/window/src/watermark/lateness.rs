//! How late an exporter's spans come, as a small histogram in event time that forgets.

/// Buckets: eight to each doubling of milliseconds, up to 2^20 ms (17 minutes).
const BUCKETS: usize = 8 * 18;

/// How far spans lay behind the newest end known when they arrived.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Lateness {
    pub(super) fn new() -> Lateness {
        Lateness { counts: Box::new([0; BUCKETS]), total: 0 }
    }

    #[inline]
    pub(super) fn record(&mut self, late_ms: u64) {
        let bucket = &mut self.counts[bucket(late_ms)];
        *bucket = bucket.saturating_add(1);
        self.total += 1;
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// At or below this lie `permille` of the spans, milliseconds (the upper end of the bucket).
    pub(super) fn quantile_ms(&self, permille: u64) -> u64 {
        let wanted = (self.total * permille).div_ceil(1000);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return upper_ms(at);
            }
        }
        upper_ms(BUCKETS - 1)
    }

    /// Everything counts half from now on.
    pub(super) fn halve(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
        self.total = self.counts.iter().map(|count| u64::from(*count)).sum();
    }
}

#[inline]
fn bucket(late_ms: u64) -> usize {
    if late_ms < 8 {
        return late_ms as usize;
    }
    let doubling = late_ms.ilog2() as usize;
    let eighth = (late_ms >> (doubling - 3)) as usize & 7;
    ((doubling - 2) * 8 + eighth).min(BUCKETS - 1)
}

fn upper_ms(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let (doubling, eighth) = (bucket / 8 + 2, bucket as u64 % 8);
    ((8 + eighth + 1) << (doubling - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_lies_below_its_upper_end() {
        for late_ms in (0..5000).chain([60_000, 1_000_000]) {
            let at = bucket(late_ms);
            assert!(late_ms <= upper_ms(at), "{late_ms}");
            assert!(at == 0 || late_ms > upper_ms(at - 1), "{late_ms}");
            assert!(upper_ms(at) * 8 <= late_ms * 9 + 8, "an eighth of width at most: {late_ms}");
        }
    }

    #[test]
    fn the_quantile_forgets_what_was_long_ago() {
        let mut lateness = Lateness::new();
        (0..1000).for_each(|_| lateness.record(5000));
        assert!(lateness.quantile_ms(990) >= 5000);
        (0..11).for_each(|_| lateness.halve());
        (0..100).for_each(|_| lateness.record(10));
        assert!(lateness.quantile_ms(990) <= 11);
    }
}
