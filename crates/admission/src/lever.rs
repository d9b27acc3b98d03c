//! One knob's value over time: as commanded while the lease lasts, then back to normal on a jittered ramp.
//!
//! Invariant: the value is never looser than normal, so a command can only restrict, and a ramp stays inside the
//! instance's own limits.

use model::{BreakerPhase, Criticality, Setting};

/// How a lease that ends goes back to normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// How long it takes, in the mean.
    pub length_ms: u32,
    /// How much the length differs between instances, in 1/1000 either way.
    pub jitter_permille: u16,
}

impl Default for Ramp {
    fn default() -> Ramp {
        Ramp { length_ms: 10_000, jitter_permille: 500 }
    }
}

impl Ramp {
    /// The length for one instance; `random` is any number that differs between instances.
    pub fn length_ms(self, random: u64) -> u64 {
        let jitter = u64::from(self.jitter_permille.min(1000));
        u64::from(self.length_ms) * (1000 - jitter + random % (2 * jitter + 1)) / 1000
    }
}

/// The value of one knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lever {
    normal: Setting,
    length_ms: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Normal,
    Commanded(Setting),
    Returning { from: Setting, since_ms: u64 },
}

impl Lever {
    /// A lever at its normal value.
    pub fn new(normal: Setting, ramp: Ramp, random: u64) -> Lever {
        Lever { normal, length_ms: ramp.length_ms(random), phase: Phase::Normal }
    }

    /// What is commanded now; `None` begins the way back. A setting of another knob is ignored.
    pub fn command(&mut self, setting: Option<Setting>, now_ms: u64) {
        self.phase = match (setting.filter(|setting| setting.knob() == self.normal.knob()), self.phase) {
            (Some(setting), _) => Phase::Commanded(setting),
            (None, Phase::Commanded(from)) => Phase::Returning { from: from.stricter(self.normal), since_ms: now_ms },
            (None, phase) => phase,
        };
    }

    /// Another normal value, from the configuration.
    pub fn set_normal(&mut self, normal: Setting) {
        if normal.knob() == self.normal.knob() {
            self.normal = normal;
        }
    }

    /// The value now.
    pub fn value(&self, now_ms: u64) -> Setting {
        match self.phase {
            Phase::Normal => self.normal,
            Phase::Commanded(setting) => setting.stricter(self.normal),
            Phase::Returning { from, since_ms } => {
                let gone_ms = now_ms.saturating_sub(since_ms).min(self.length_ms);
                between(from, self.normal, gone_ms, self.length_ms.max(1)).stricter(self.normal)
            }
        }
    }

    /// Is a command in force?
    pub fn is_commanded(&self) -> bool {
        matches!(self.phase, Phase::Commanded(_))
    }

    /// Is the value normal, and nothing in force?
    pub fn is_normal(&self, now_ms: u64) -> bool {
        match self.phase {
            Phase::Normal => true,
            Phase::Commanded(_) => false,
            Phase::Returning { since_ms, .. } => now_ms.saturating_sub(since_ms) >= self.length_ms,
        }
    }
}

/// `from` moved towards `to` by `gone / whole`, linear in the knob's own number; admission walks up class by class.
/// What has no numbers in between stays until the end.
fn between(from: Setting, to: Setting, gone: u64, whole: u64) -> Setting {
    let at = |a: u64, b: u64| {
        let step = u128::from(a.abs_diff(b)) * u128::from(gone) / u128::from(whole);
        if a <= b { a + step as u64 } else { a - step as u64 }
    };
    let number = |a: u32, b: u32| at(u64::from(a), u64::from(b)) as u32;
    match (from, to) {
        (
            Setting::Admission { lowest, fraction_permille },
            Setting::Admission { lowest: to_lowest, fraction_permille: to_fraction },
        ) => {
            let admitted = at(height(lowest, fraction_permille), height(to_lowest, to_fraction));
            // A whole number of classes is written as "all of the class", not as "nothing of the next".
            let whole_classes = admitted.saturating_sub(1) / 1000;
            let lowest = Criticality::ALL[3 - (whole_classes as usize).min(3)];
            Setting::Admission { lowest, fraction_permille: (admitted - whole_classes * 1000) as u16 }
        }
        (Setting::QueueBound { work_ms: a }, Setting::QueueBound { work_ms: b }) => {
            Setting::QueueBound { work_ms: number(a, b) }
        }
        (Setting::RetryBudget { ratio_permille: a }, Setting::RetryBudget { ratio_permille: b }) => {
            Setting::RetryBudget { ratio_permille: number(u32::from(a), u32::from(b)) as u16 }
        }
        (Setting::BreakerThreshold { failure_permille: a }, Setting::BreakerThreshold { failure_permille: b }) => {
            Setting::BreakerThreshold { failure_permille: number(u32::from(a), u32::from(b)) as u16 }
        }
        (Setting::Timeout { timeout_ms: a }, Setting::Timeout { timeout_ms: b }) => {
            Setting::Timeout { timeout_ms: number(a, b) }
        }
        (Setting::Concurrency { limit: a }, Setting::Concurrency { limit: b }) => {
            // Normal may be "no limit": then the ramp goes up to ten times, and the rest is one step.
            let top = if gone < whole { b.min(a.max(1).saturating_mul(10)).max(a.min(b)) } else { b };
            Setting::Concurrency { limit: number(a, top) }
        }
        (Setting::KillSwitch { level: a }, Setting::KillSwitch { level: b }) => {
            Setting::KillSwitch { level: number(u32::from(a), u32::from(b)) as u8 }
        }
        (Setting::Route { share_permille: a }, Setting::Route { share_permille: b }) => {
            Setting::Route { share_permille: number(u32::from(a), u32::from(b)) as u16 }
        }
        (Setting::Breaker { phase: BreakerPhase::Open | BreakerPhase::HalfOpen }, Setting::Breaker { .. })
            if gone < whole =>
        {
            Setting::Breaker { phase: BreakerPhase::HalfOpen }
        }
        (from, to) => {
            if gone < whole {
                from
            } else {
                to
            }
        }
    }
}

/// How much is admitted, in 1/1000 of a class: 0 is nothing, 4000 everything.
fn height(lowest: Criticality, fraction_permille: u16) -> u64 {
    (3 - lowest as u64) * 1000 + u64::from(fraction_permille.min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RAMP: Ramp = Ramp { length_ms: 1000, jitter_permille: 0 };

    fn admission(lowest: Criticality, fraction_permille: u16) -> Setting {
        Setting::Admission { lowest, fraction_permille }
    }

    #[test]
    fn a_lease_that_ends_walks_back_class_by_class() {
        let mut lever = Lever::new(admission(Criticality::Sheddable, 1000), RAMP, 0);
        lever.command(Some(admission(Criticality::Critical, 500)), 0);
        assert_eq!(lever.value(99), admission(Criticality::Critical, 500));
        lever.command(None, 100);
        let walk = [100, 300, 500, 700, 900, 1100].map(|now_ms| lever.value(now_ms));
        assert_eq!(
            walk,
            [
                admission(Criticality::Critical, 500),
                admission(Criticality::Critical, 1000),
                admission(Criticality::SheddablePlus, 500),
                admission(Criticality::SheddablePlus, 1000),
                admission(Criticality::Sheddable, 500),
                admission(Criticality::Sheddable, 1000),
            ]
        );
        assert!(lever.is_normal(1100) && !lever.is_normal(1099));
    }

    #[test]
    fn a_command_never_loosens() {
        let mut lever = Lever::new(Setting::Concurrency { limit: 10 }, RAMP, 0);
        lever.command(Some(Setting::Concurrency { limit: 1000 }), 0);
        assert_eq!(lever.value(0), Setting::Concurrency { limit: 10 });
        lever.command(Some(Setting::Timeout { timeout_ms: 1 }), 0);
        assert_eq!(lever.value(0), Setting::Concurrency { limit: 10 }, "another knob is ignored");
    }

    #[test]
    fn instances_come_back_at_different_times_within_the_jitter() {
        let ramp = Ramp { length_ms: 1000, jitter_permille: 500 };
        let lengths: Vec<u64> = (0..1001).map(|random| ramp.length_ms(random)).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&500), Some(&1500)));
    }

    fn settings() -> impl Strategy<Value = (Setting, Setting)> {
        let level = || (0usize..4, 0u16..=1000).prop_map(|(level, f)| admission(Criticality::ALL[level], f));
        prop_oneof![
            (level(), level()),
            (0u32..5000, 0u32..5000)
                .prop_map(|(a, b)| (Setting::QueueBound { work_ms: a }, Setting::QueueBound { work_ms: b })),
            (0u16..1000, 0u16..1000).prop_map(|(a, b)| {
                (Setting::RetryBudget { ratio_permille: a }, Setting::RetryBudget { ratio_permille: b })
            }),
            (0u16..=1000, 0u16..=1000)
                .prop_map(|(a, b)| (Setting::Route { share_permille: a }, Setting::Route { share_permille: b })),
            (0u8..9, 0u8..9).prop_map(|(a, b)| (Setting::KillSwitch { level: a }, Setting::KillSwitch { level: b })),
        ]
    }

    proptest! {
        #[test]
        fn the_way_back_only_loosens_and_ends_at_normal((normal, commanded) in settings(), steps in 1u64..20) {
            let mut lever = Lever::new(normal, RAMP, 0);
            lever.command(Some(commanded), 0);
            let mut before = lever.value(0).strictness();
            lever.command(None, 0);
            for step in 0..=steps {
                let now = lever.value(1000 * step / steps).strictness();
                prop_assert!(now <= before && now >= normal.strictness());
                before = now;
            }
            prop_assert!(before <= normal.strictness());
        }
    }
}
