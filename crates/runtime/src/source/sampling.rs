//! What is read when telemetry comes faster than it can be read. Pure: times are arguments.
//!
//! First the source pauses: while the shards are full nothing more is read, and what waits lies safely at the broker. If
//! that is not enough, decisions would rest on ever older news. So when what is read is older than a limit and does not
//! grow younger, whole traces are left out, half of them, then three quarters, and so on: the rest stands for them with
//! corrected weights. A backlog that is being caught up grows younger, and is read in full. Every change is journalled.

use model::Span;

/// At least one trace in so many (a power of two) is always read.
const HALVINGS_MAX: u32 = 6;
/// Looks without getting younger before more is left out.
const PATIENCE: u32 = 3;
/// Catching up means to grow younger by at least this much from look to look, milliseconds.
const YOUNGER_MS: u64 = 100;
/// Looks at a quarter of the limit or less before more is read again; doubled each time that was too early.
const CALM: u32 = 10;
const CALM_MAX: u32 = 320;

/// The share of traces that are read.
#[derive(Clone, Debug)]
pub(crate) struct Sampling {
    behind_max_ms: u64,
    halvings: u32,
    last_behind_ms: u64,
    /// Looks in a row at which it was too old and grew no younger.
    bad: u32,
    /// Looks in a row at which it was young.
    good: u32,
    calm: u32,
}

impl Sampling {
    /// Nothing is left out while what is read is younger than `behind_max_ms`; zero is never.
    pub(crate) fn new(behind_max_ms: u64) -> Sampling {
        Sampling { behind_max_ms, halvings: 0, last_behind_ms: 0, bad: 0, good: 0, calm: CALM }
    }

    /// A look, once a second: how old was what was read since the last one? Gives the share of traces that are read from
    /// now on, in 1/1000, if that changes.
    pub(crate) fn look(&mut self, behind_ms: u64) -> Option<u16> {
        if self.behind_max_ms == 0 {
            return None;
        }
        let younger = behind_ms + YOUNGER_MS <= self.last_behind_ms;
        self.last_behind_ms = behind_ms;
        self.bad = if behind_ms > self.behind_max_ms && !younger { self.bad + 1 } else { 0 };
        self.good = if behind_ms <= self.behind_max_ms / 4 { self.good + 1 } else { 0 };
        let before = self.halvings;
        if self.bad >= PATIENCE && self.halvings < HALVINGS_MAX {
            if self.halvings == 0 {
                self.calm = (self.calm * 2).min(CALM_MAX);
            }
            (self.halvings, self.bad) = (self.halvings + 1, 0);
        } else if self.good >= self.calm && self.halvings > 0 {
            (self.halvings, self.good) = (self.halvings - 1, 0);
        } else if self.good >= CALM_MAX {
            (self.calm, self.good) = (CALM, 0);
        }
        (self.halvings != before).then(|| self.kept_permille())
    }

    /// The share of traces that are read, in 1/1000.
    pub(crate) fn kept_permille(&self) -> u16 {
        1000 >> self.halvings
    }

    /// Is the span's trace among those that are read? If so its weight stands for the others, too.
    #[inline]
    pub(crate) fn keep(&self, span: &mut Span) -> bool {
        if self.halvings == 0 {
            return true;
        }
        // The upper bits: the lower ones choose shards and flows.
        if (span.trace.hash() >> 40) & ((1 << self.halvings) - 1) != 0 {
            return false;
        }
        // An unknown weight is zero and stays unknown.
        span.weight.0 = span.weight.0.saturating_mul(1 << self.halvings);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{TraceId, Weight};

    /// Looks at these ages, and says what was read after each.
    fn looked(sampling: &mut Sampling, behind_ms: &[u64]) -> Vec<u16> {
        let look = |behind_ms: &u64| {
            sampling.look(*behind_ms);
            sampling.kept_permille()
        };
        behind_ms.iter().map(look).collect()
    }

    #[test]
    fn what_grows_older_is_halved_until_it_grows_younger_and_read_in_full_again_when_calm() {
        let mut sampling = Sampling::new(5_000);
        let kept = looked(&mut sampling, &[4_000, 5_500, 6_000, 6_500, 7_000, 7_500, 8_000]);
        assert_eq!(kept, [1000, 1000, 1000, 500, 500, 500, 250]);
        assert_eq!(looked(&mut sampling, &[7_000, 5_500, 3_000, 1_000, 100]), [250; 5], "it grows younger");
        let calm = looked(&mut sampling, &[100; 60]);
        assert_eq!(calm.last(), Some(&1000), "{calm:?}");
    }

    #[test]
    fn a_backlog_that_is_being_caught_up_is_read_in_full() {
        let mut sampling = Sampling::new(5_000);
        let ages: Vec<u64> = (0..100).rev().map(|at| at * 600).collect();
        assert_eq!(looked(&mut sampling, &ages), [1000; 100]);
        assert_eq!(looked(&mut Sampling::new(0), &[60_000; 10]), [1000; 10], "zero is never");
    }

    #[test]
    fn whole_traces_are_kept_and_stand_for_the_others() {
        let mut sampling = Sampling::new(5_000);
        looked(&mut sampling, &[9_000; 6]);
        assert_eq!(sampling.kept_permille(), 250);
        let (mut kept, mut weight) = (0u64, 0u64);
        for trace in 0..100_000u128 {
            let mut spans = [Span { trace: TraceId(trace), ..Span::default() }; 2];
            let keeps = spans.each_mut().map(|span| sampling.keep(span));
            assert_eq!(keeps[0], keeps[1], "a trace is kept whole or not at all");
            if keeps[0] {
                kept += 1;
                weight += spans[0].weight.count().0;
            }
        }
        assert!((24_000..26_000).contains(&kept), "{kept}");
        assert_eq!(weight, kept * 4 * 1024);
        let mut unknown = Span { weight: Weight::UNKNOWN, ..Span::default() };
        sampling.keep(&mut unknown);
        assert!(!unknown.weight.is_known());
    }
}
