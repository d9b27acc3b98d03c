//! Priority admission: a boundary class, and the fraction of it that is admitted, by user cohort.
//!
//! The same cohorts are admitted everywhere in the fleet during a period, so that a request that was let in at the entry
//! is not dropped half-way; the next period admits others, so that the same users are not hit every time. After DAGOR
//! (Zhou et al., SoCC 2018: business and user priority, re-hashed hourly) and Sui's `overload_monitor.rs` (stable within a
//! minute, rotates for fairness).

use model::{Criticality, Setting};

/// So many cohorts there are.
pub const COHORTS: u8 = 128;

/// Everything above `lowest` is admitted, of `lowest` the fraction, nothing below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The boundary class.
    pub lowest: Criticality,
    /// The share of the boundary class that is admitted, in 1/1000.
    pub fraction_permille: u16,
}

impl Boundary {
    /// Everything is admitted.
    pub const ALL: Boundary = Boundary { lowest: Criticality::Sheddable, fraction_permille: 1000 };

    /// The boundary that an admission setting means; `None` for another knob.
    pub fn of(setting: Setting) -> Option<Boundary> {
        match setting {
            Setting::Admission { lowest, fraction_permille } => Some(Boundary { lowest, fraction_permille }),
            _ => None,
        }
    }

    /// The boundary as a setting.
    pub fn setting(self) -> Setting {
        Setting::Admission { lowest: self.lowest, fraction_permille: self.fraction_permille }
    }

    /// Is a request of this class and cohort admitted in this period? `spread` splits the one cohort that the fraction
    /// cuts through, and stands in for a cohort that is not known.
    #[inline]
    pub fn admits(self, criticality: Criticality, cohort: u8, spread: u64, period: u64) -> bool {
        match criticality.cmp(&self.lowest) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                let cohorts = u64::from(COHORTS);
                let cohort = if cohort < COHORTS { u64::from(cohort) } else { (spread >> 32) % cohorts };
                // 79/128 is close to the golden section: successive periods begin far apart, and as 79 is odd each cohort
                // is first once in 128 periods.
                let rank = (cohort + period.wrapping_mul(79)) % cohorts;
                let place = rank * 1000 + (spread & 0xffff_ffff) % 1000;
                place < u64::from(self.fraction_permille.min(1000)) * cohorts
            }
        }
    }
}

/// The number of the period that `now_ms` lies in; the same on every machine with the same clock.
pub fn period(now_ms: u64, rotate_ms: u64) -> u64 {
    now_ms / rotate_ms.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::stable_hash;
    use proptest::prelude::*;

    fn admitted(boundary: Boundary, criticality: Criticality, period: u64) -> usize {
        let requests = 0..COHORTS as u64 * 100;
        requests
            .filter(|n| boundary.admits(criticality, (n % 128) as u8, stable_hash(&n.to_le_bytes()), period))
            .count()
    }

    #[test]
    fn each_cohort_is_hit_equally_often_over_a_full_turn() {
        let boundary = Boundary { lowest: Criticality::Critical, fraction_permille: 250 };
        for cohort in 0..COHORTS {
            let hits = (0..128).filter(|period| boundary.admits(Criticality::Critical, cohort, 0, *period)).count();
            assert_eq!(hits, 32, "cohort {cohort}");
        }
    }

    #[test]
    fn a_request_without_a_cohort_is_spread_by_its_number() {
        let boundary = Boundary { lowest: Criticality::Critical, fraction_permille: 500 };
        let spread = |n: u64| stable_hash(&n.to_le_bytes());
        let hits = (0..10_000).filter(|n| boundary.admits(Criticality::Critical, 255, spread(*n), 3)).count();
        assert!(hits.abs_diff(5000) < 300, "{hits}");
    }

    proptest! {
        #[test]
        fn the_fraction_is_honoured_and_criticality_is_monotone(
            level in 0usize..4, fraction_permille in 0u16..=1000, period in 0u64..1000,
        ) {
            let boundary = Boundary { lowest: Criticality::ALL[level], fraction_permille };
            let got = Criticality::ALL.map(|criticality| admitted(boundary, criticality, period));
            prop_assert!(got.windows(2).all(|pair| pair[0] <= pair[1]));
            let wanted = 128 * 100 * usize::from(fraction_permille) / 1000;
            prop_assert!(got[level].abs_diff(wanted) <= 60, "{} of 12800, wanted {wanted}", got[level]);
            prop_assert!(got[level + 1..].iter().all(|all| *all == 12_800));
            prop_assert!(got[..level].iter().all(|none| *none == 0));
        }

        #[test]
        fn a_larger_fraction_admits_whom_a_smaller_one_admitted(
            a in 0u16..=1000, b in 0u16..=1000, cohort in 0u8..128, spread: u64, period: u64,
        ) {
            let admits = |fraction_permille| {
                let boundary = Boundary { lowest: Criticality::Critical, fraction_permille };
                boundary.admits(Criticality::Critical, cohort, spread, period)
            };
            prop_assert!(!admits(a.min(b)) || admits(a.max(b)));
        }
    }
}
