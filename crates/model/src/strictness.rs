//! Which of two settings of one knob restricts more.
//!
//! One order for everybody: the subscriber's "most restrictive valid command wins", the owner's clamps and the way a
//! lease ramps back to normal. Never compares across knobs.

use crate::{BreakerPhase, Setting};

impl Setting {
    /// The stricter of two settings of the same knob; `self` if they are equal or of different knobs.
    #[must_use]
    pub fn stricter(self, other: Setting) -> Setting {
        if self.knob() == other.knob() && other.strictness() > self.strictness() { other } else { self }
    }

    /// How much the setting restricts, comparable within one knob only: a larger number restricts more. For ratchets it
    /// says which one wins: more replicas (capacity is never taken by accident), less traffic on a route.
    pub fn strictness(self) -> u64 {
        match self {
            Setting::Admission { lowest, fraction_permille } => {
                lowest as u64 * 1001 + 1000 - u64::from(fraction_permille.min(1000))
            }
            Setting::QueueBound { work_ms } => below(work_ms),
            Setting::RetryBudget { ratio_permille } => below(u32::from(ratio_permille)),
            Setting::Timeout { timeout_ms } => below(timeout_ms),
            Setting::Concurrency { limit } => below(limit),
            Setting::Breaker { phase } => match phase {
                BreakerPhase::Closed => 0,
                BreakerPhase::Ramp => 1,
                BreakerPhase::HalfOpen => 2,
                BreakerPhase::Open => 3,
            },
            Setting::KillSwitch { level } => u64::from(level),
            Setting::Purge { older_than_ms } => below(older_than_ms),
            Setting::Restart { at_once_percent } => below(u32::from(at_once_percent)),
            Setting::Replicas { count } => u64::from(count),
            Setting::Route { share_permille } => below(u32::from(share_permille)),
            Setting::BreakerThreshold { failure_permille } => below(u32::from(failure_permille)),
        }
    }
}

/// The smaller the number, the stricter.
fn below(value: u32) -> u64 {
    u64::from(u32::MAX - value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Criticality::{Critical, Sheddable, SheddablePlus};

    fn admission(lowest: crate::Criticality, fraction_permille: u16) -> Setting {
        Setting::Admission { lowest, fraction_permille }
    }

    #[test]
    fn a_higher_boundary_class_is_stricter_than_any_fraction_of_a_lower_one() {
        let ladder = [
            admission(Sheddable, 1000),
            admission(Sheddable, 0),
            admission(SheddablePlus, 1000),
            admission(SheddablePlus, 1),
            admission(Critical, 1000),
        ];
        assert!(ladder.windows(2).all(|pair| pair[0].strictness() < pair[1].strictness()));
    }

    #[test]
    fn the_smaller_bound_wins_and_knobs_do_not_mix() {
        let (short, long) = (Setting::Timeout { timeout_ms: 10 }, Setting::Timeout { timeout_ms: 20 });
        assert_eq!(long.stricter(short), short);
        assert_eq!(short.stricter(long), short);
        assert_eq!(long.stricter(Setting::Concurrency { limit: 0 }), long);
    }
}
