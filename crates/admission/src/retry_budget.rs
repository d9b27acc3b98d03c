//! The retry budget: retries are at most a share of first attempts, over a sliding window.
//!
//! Each first attempt pays `ratio` of a retry into the bucket of its time; a retry takes one whole retry from the oldest
//! money that is left. So every retry is paid by first attempts of the last window, and over any stretch of time
//! `retries <= ratio × first attempts of that stretch and the window before it (+ reserve)`. A budget b is safe only while
//! first-attempt load × (1 + b) stays below capacity with margin, so it is tied to headroom by command; the usual 20 % is
//! the default for calm days (Envoy, Linkerd, tower `TpsBudget`).

use std::collections::VecDeque;

const BUCKETS: u64 = 10;
const RETRY_MILLI: u64 = 1000;

/// May this retry be sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// Yes; it is paid.
    Granted,
    /// No.
    Refused,
}

/// The budget of one client towards one callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    normal_permille: u16,
    commanded_permille: Option<u16>,
    /// Retries a second that are always there, for callers with little traffic; not while a command is in force.
    reserve_per_s: u32,
    bucket_ms: u64,
    /// (bucket number, thousandths of a retry left), oldest first.
    paid: VecDeque<(u64, u64)>,
    reserve_milli: u64,
    reserve_at_ms: u64,
    refused_total: u64,
}

impl RetryBudget {
    /// A budget of `ratio_permille` of first attempts over `window_ms`, with `reserve_per_s` retries a second besides.
    pub fn new(ratio_permille: u16, reserve_per_s: u32, window_ms: u64) -> RetryBudget {
        RetryBudget {
            normal_permille: ratio_permille,
            commanded_permille: None,
            reserve_per_s,
            bucket_ms: (window_ms / BUCKETS).max(1),
            paid: VecDeque::new(),
            reserve_milli: u64::from(reserve_per_s) * RETRY_MILLI,
            reserve_at_ms: 0,
            refused_total: 0,
        }
    }

    /// The ratio that is commanded, or none. A smaller ratio also shrinks what was paid in before, or the old money would
    /// feed the storm for another window.
    pub fn command(&mut self, ratio_permille: Option<u16>, now_ms: u64) {
        let before = u64::from(self.ratio_permille());
        self.commanded_permille = ratio_permille;
        let after = u64::from(self.ratio_permille());
        if after < before {
            self.paid.iter_mut().for_each(|(_, milli)| *milli = *milli * after / before);
        }
        self.reserve_milli = 0;
        self.reserve_at_ms = self.reserve_at_ms.max(now_ms);
    }

    /// The ratio in force: a command only tightens.
    pub fn ratio_permille(&self) -> u16 {
        self.commanded_permille.map_or(self.normal_permille, |ratio| ratio.min(self.normal_permille))
    }

    /// The ratio that is commanded.
    pub fn commanded_permille(&self) -> Option<u16> {
        self.commanded_permille
    }

    /// A first attempt was sent.
    pub fn first_attempt(&mut self, now_ms: u64) {
        self.forget(now_ms);
        let (bucket, milli) = (now_ms / self.bucket_ms, u64::from(self.ratio_permille()));
        match self.paid.back_mut() {
            // A clock that steps back pays into the newest bucket.
            Some((last, left)) if *last >= bucket => *left += milli,
            _ => self.paid.push_back((bucket, milli)),
        }
    }

    /// Takes a retry from the budget, if there is one.
    pub fn try_retry(&mut self, now_ms: u64) -> RetryVerdict {
        self.forget(now_ms);
        self.refill(now_ms);
        let left: u64 = self.paid.iter().map(|(_, milli)| milli).sum();
        if left >= RETRY_MILLI {
            let mut owed = RETRY_MILLI;
            for (_, milli) in &mut self.paid {
                let part = owed.min(*milli);
                *milli -= part;
                owed -= part;
            }
            RetryVerdict::Granted
        } else if self.commanded_permille.is_none() && self.reserve_milli >= RETRY_MILLI {
            self.reserve_milli -= RETRY_MILLI;
            RetryVerdict::Granted
        } else {
            self.refused_total += 1;
            RetryVerdict::Refused
        }
    }

    /// Retries refused since the start.
    pub fn refused_total(&self) -> u64 {
        self.refused_total
    }

    fn forget(&mut self, now_ms: u64) {
        let oldest = (now_ms / self.bucket_ms).saturating_sub(BUCKETS - 1);
        while self.paid.front().is_some_and(|(bucket, _)| *bucket < oldest) {
            self.paid.pop_front();
        }
    }

    fn refill(&mut self, now_ms: u64) {
        let gone_ms = now_ms.saturating_sub(self.reserve_at_ms);
        let full = u64::from(self.reserve_per_s) * RETRY_MILLI;
        self.reserve_milli =
            gone_ms.saturating_mul(u64::from(self.reserve_per_s)).saturating_add(self.reserve_milli).min(full);
        self.reserve_at_ms = self.reserve_at_ms.max(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tightened_budget_takes_back_what_was_paid_in() {
        let mut budget = RetryBudget::new(200, 0, 10_000);
        (0..1000).for_each(|_| budget.first_attempt(0));
        budget.command(Some(50), 0);
        let granted = (0..1000).filter(|_| budget.try_retry(0) == RetryVerdict::Granted).count();
        assert_eq!(granted, 50);
        budget.command(Some(900), 0);
        assert_eq!(budget.ratio_permille(), 200, "a command only tightens");
    }

    #[test]
    fn no_reserve_feeds_a_storm_while_a_command_is_in_force() {
        let mut budget = RetryBudget::new(200, 10, 10_000);
        assert_eq!(budget.try_retry(0), RetryVerdict::Granted);
        budget.command(Some(0), 0);
        (0..100).for_each(|second| {
            budget.first_attempt(second * 1000);
            assert_eq!(budget.try_retry(second * 1000), RetryVerdict::Refused);
        });
        budget.command(None, 100_000);
        assert_eq!(budget.try_retry(101_000), RetryVerdict::Granted);
    }

    proptest! {
        #[test]
        fn the_bound_holds_over_any_stretch_of_any_sequence(
            ratio in 0u16..1000, reserve in 0u32..5, steps in prop::collection::vec((0u64..800, 0u32..8, 0u32..8), 1..120),
        ) {
            let window_ms = 5000;
            let mut budget = RetryBudget::new(ratio, reserve, window_ms);
            let mut now_ms = 50_000;
            let mut log = Vec::new();
            for (gap_ms, firsts, wanted) in steps {
                now_ms += gap_ms;
                (0..firsts).for_each(|_| budget.first_attempt(now_ms));
                let granted = (0..wanted).filter(|_| budget.try_retry(now_ms) == RetryVerdict::Granted).count();
                log.push((now_ms, u64::from(firsts), granted as u64));
            }
            for from in 0..log.len() {
                for to in from..log.len() {
                    let (from_ms, to_ms) = (log[from].0, log[to].0);
                    let retries: u64 = log[from..=to].iter().map(|step| step.2).sum();
                    let paying = |step: &&(u64, u64, u64)| step.0 + window_ms >= from_ms && step.0 <= to_ms;
                    let firsts: u64 = log.iter().filter(paying).map(|step| step.1).sum();
                    let reserved = u64::from(reserve) * (to_ms - from_ms + 1000);
                    prop_assert!(retries * 1000 <= firsts * u64::from(ratio) + reserved);
                }
            }
        }
    }
}
