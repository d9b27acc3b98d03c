//! The retry budget: retries are at most a share of first attempts, over a sliding window.
//!
//! Each first attempt pays `ratio` of a retry into the bucket of its time; a retry takes one whole retry from the oldest
//! money that is left. So every retry is paid by first attempts of the last window, and over any stretch of time
//! `retries <= ratio × first attempts of that stretch and the window before it (+ reserve)`. A budget b is safe only while
//! first-attempt load × (1 + b) stays below capacity with margin, so it is tied to headroom by command; the usual 20 % is
//! the default for calm days (Envoy, Linkerd, tower `TpsBudget`). A callee that says how busy it is ties the budget to its
//! headroom at once: load × (1 + b) ≤ 0.9 capacity means b ≤ 0.9 / utilisation − 1.

use std::collections::VecDeque;

const BUCKETS: u64 = 10;
const RETRY_MILLI: u64 = 1000;
/// What a callee said of its load counts for so long.
const LOAD_COUNTS_MS: u64 = 5000;
/// How much of the newest word is taken over, in 1/1000: a memory of about ten answers.
const LOAD_WEIGHT_PERMILLE: i64 = 100;

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
    /// How much of its capacity the callee uses, smoothed, in 1/1000, and when it said so.
    load: Option<(u16, u64)>,
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
            load: None,
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
        let before = self.ratio_permille();
        self.commanded_permille = ratio_permille;
        self.shrink(before);
        self.reserve_milli = 0;
        self.reserve_at_ms = self.reserve_at_ms.max(now_ms);
    }

    /// The callee says how much of its capacity it uses, in 1/1000.
    pub fn heard_load(&mut self, permille: u16, now_ms: u64) {
        let before = self.ratio_permille();
        let permille = permille.min(2000);
        let smoothed = match self.load {
            Some((known, at_ms)) if now_ms.saturating_sub(at_ms) < LOAD_COUNTS_MS => {
                let moved = (i64::from(permille) - i64::from(known)) * LOAD_WEIGHT_PERMILLE;
                // a step of less than one is rounded away from nothing, or it would never arrive
                let step = if moved.abs() < 1000 { moved.signum() } else { moved / 1000 };
                (i64::from(known) + step) as u16
            }
            _ => permille,
        };
        self.load = Some((smoothed, now_ms));
        self.shrink(before);
    }

    /// How much of its capacity the callee uses, in 1/1000, if it said so lately.
    pub fn load_permille(&self, now_ms: u64) -> Option<u16> {
        self.load.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < LOAD_COUNTS_MS).map(|(permille, _)| permille)
    }

    /// The ratio in force: a command and the callee's load only tighten.
    pub fn ratio_permille(&self) -> u16 {
        let commanded = self.commanded_permille.unwrap_or(u16::MAX);
        let headroom = self.load.map_or(u16::MAX, |(load, _)| match load {
            0 => u16::MAX,
            load => (900_000 / u32::from(load)).saturating_sub(1000).min(u32::from(u16::MAX)) as u16,
        });
        self.normal_permille.min(commanded).min(headroom)
    }

    /// What was paid in at a higher ratio shrinks to the one in force.
    fn shrink(&mut self, before_permille: u16) {
        let (before, after) = (u64::from(before_permille), u64::from(self.ratio_permille()));
        if after < before {
            self.paid.iter_mut().for_each(|(_, milli)| *milli = *milli * after / before);
        }
    }

    /// The ratio that is commanded.
    pub fn commanded_permille(&self) -> Option<u16> {
        self.commanded_permille
    }

    /// A first attempt was sent.
    pub fn first_attempt(&mut self, now_ms: u64) {
        self.load = self.load.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < LOAD_COUNTS_MS);
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
        } else if self.has_reserve() && self.reserve_milli >= RETRY_MILLI {
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

    /// No reserve feeds a storm: not while a command is in force, nor when the callee has no headroom.
    fn has_reserve(&self) -> bool {
        self.commanded_permille.is_none() && (self.load.is_none() || self.ratio_permille() > 0)
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

    #[test]
    fn a_busy_callee_shrinks_the_budget_to_its_headroom_and_silence_gives_it_back() {
        let mut budget = RetryBudget::new(200, 10, 10_000);
        let ratio = |budget: &mut RetryBudget, load: u16| {
            (0..200).for_each(|_| budget.heard_load(load, 0));
            budget.ratio_permille()
        };
        assert_eq!(ratio(&mut budget, 500), 200, "plenty of room");
        assert_eq!(ratio(&mut budget, 800), 125, "0.8 × 1.125 = 0.9");
        (0..80).for_each(|_| budget.first_attempt(0));
        assert_eq!(ratio(&mut budget, 900), 0);
        assert_eq!(budget.try_retry(0), RetryVerdict::Refused, "what was paid in before and the reserve are gone too");
        budget.first_attempt(4999);
        assert_eq!(budget.ratio_permille(), 0);
        budget.first_attempt(5000);
        assert_eq!((budget.ratio_permille(), budget.load_permille(5000)), (200, None), "it has not said so for long");
    }

    proptest! {
        #[test]
        fn the_budget_never_lets_load_and_retries_pass_nine_tenths(load in 1u16..900) {
            let mut budget = RetryBudget::new(1000, 0, 10_000);
            budget.heard_load(load, 0);
            let with_retries = u64::from(load) * (1000 + u64::from(budget.ratio_permille()));
            prop_assert!(with_retries <= 900_000);
        }

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
