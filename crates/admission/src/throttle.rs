//! A client stops asking a callee that refuses: adaptive throttling by the accept ratio.
//!
//! `P(refuse here) = max(0, (requests − K × accepted) / (requests + 1))` over a sliding window, for each class of its own
//! (Google SRE book, ch. 21). What is refused here counts as a request, so the probability rises with what is asked and
//! falls as soon as the callee accepts again. A callee's failures are the breaker's business: they count as accepted.

use model::{Criticality, LEVELS};

const BUCKETS: usize = 12;

/// The constants of the throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// K, in 1/1000: 2000 lets through twice what is accepted, so that the client sees soon when more is.
    pub k_permille: u32,
    /// How far it looks back, milliseconds.
    pub window_ms: u32,
    /// Fewer requests than this in the window refuse nothing.
    pub requests_min: u32,
    /// It never refuses more than this share, in 1/1000: somebody has to ask.
    pub share_max_permille: u32,
}

impl Default for ThrottleConfig {
    fn default() -> ThrottleConfig {
        ThrottleConfig { k_permille: 2000, window_ms: 30_000, requests_min: 20, share_max_permille: 950 }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    requests: u32,
    accepted: u32,
}

/// The throttle of one client towards one callee.
#[derive(Clone, Debug)]
pub struct Throttle {
    config: ThrottleConfig,
    classes: [[Bucket; BUCKETS]; LEVELS],
}

impl Throttle {
    /// Nothing was asked yet.
    pub fn new(config: ThrottleConfig) -> Throttle {
        Throttle { config, classes: [[Bucket::default(); BUCKETS]; LEVELS] }
    }

    /// May the callee be asked? Counts the request either way; `random` decides.
    pub fn ask(&mut self, class: Criticality, now_ms: u64, random: u64) -> bool {
        let refused_permille = self.refused_permille(class, now_ms);
        self.bucket(class, now_ms).requests += 1;
        random % 1000 >= u64::from(refused_permille)
    }

    /// The callee did not refuse.
    pub fn accepted(&mut self, class: Criticality, now_ms: u64) {
        self.bucket(class, now_ms).accepted += 1;
    }

    /// The share that is refused here now, in 1/1000.
    pub fn refused_permille(&self, class: Criticality, now_ms: u64) -> u32 {
        let oldest = self.number(now_ms).saturating_sub(BUCKETS as u64 - 1);
        let alive = self.classes[class.index()].iter().filter(|bucket| bucket.number >= oldest);
        let (requests, accepted) = alive.fold((0u64, 0u64), |(requests, accepted), bucket| {
            (requests + u64::from(bucket.requests), accepted + u64::from(bucket.accepted))
        });
        if requests < u64::from(self.config.requests_min) {
            return 0;
        }
        let let_through = accepted * u64::from(self.config.k_permille) / 1000;
        let share = requests.saturating_sub(let_through) * 1000 / (requests + 1);
        (share as u32).min(self.config.share_max_permille)
    }

    fn bucket(&mut self, class: Criticality, now_ms: u64) -> &mut Bucket {
        let number = self.number(now_ms);
        let bucket = &mut self.classes[class.index()][(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        bucket
    }

    fn number(&self, now_ms: u64) -> u64 {
        now_ms / (u64::from(self.config.window_ms) / BUCKETS as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Criticality::{Critical, Sheddable};
    use proptest::prelude::*;

    /// So many of 1000 requests reach a callee that accepts a share.
    fn reached(throttle: &mut Throttle, class: Criticality, accepts_permille: u64, now_ms: u64) -> u64 {
        let mut reached = 0;
        for n in 0..1000u64 {
            if throttle.ask(class, now_ms, n.wrapping_mul(7919)) {
                reached += 1;
                if n * 7 % 1000 < accepts_permille {
                    throttle.accepted(class, now_ms);
                }
            }
        }
        reached
    }

    #[test]
    fn a_callee_that_accepts_more_than_half_is_asked_everything() {
        let mut throttle = Throttle::new(ThrottleConfig::default());
        assert_eq!(reached(&mut throttle, Critical, 600, 0), 1000);
    }

    #[test]
    fn a_callee_that_refuses_all_is_left_alone_but_for_a_few_and_asked_again_when_it_accepts() {
        let mut throttle = Throttle::new(ThrottleConfig::default());
        assert!(reached(&mut throttle, Critical, 0, 0) < 120);
        let before = throttle.refused_permille(Critical, 0);
        assert_eq!(before, 950, "the cap");
        assert_eq!(throttle.refused_permille(Sheddable, 0), 0, "each class has its own");
        for second in 1..60 {
            reached(&mut throttle, Critical, 1000, second * 1000);
        }
        assert_eq!(throttle.refused_permille(Critical, 60_000), 0);
    }

    proptest! {
        #[test]
        fn the_less_a_callee_accepts_the_less_it_is_asked(accepts in 0u64..1000) {
            let mut throttle = Throttle::new(ThrottleConfig::default());
            (0..5).for_each(|second| _ = reached(&mut throttle, Critical, accepts, second * 1000));
            let last = reached(&mut throttle, Critical, accepts, 5000);
            prop_assert!(last >= 20, "somebody asks: {last}");
            prop_assert!(accepts < 520 || last == 1000, "{last} at {accepts}");
            prop_assert!(accepts > 300 || last < 450, "{last} at {accepts}");
        }
    }
}
