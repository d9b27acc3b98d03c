//! The arithmetic of shedding by criticality: between a setting of the admission knob and the share of demand it sheds.
//!
//! `mix` is demand per second by criticality, lowest first. All functions are monotone: more share, never less shed.

use model::{Criticality, LEVELS, Setting};

/// Everything is admitted.
pub const OPEN: Setting = Setting::Admission { lowest: Criticality::Sheddable, fraction_permille: 1000 };

/// Everything but `CRITICAL_PLUS` is shed: as far as admission goes without a human's approval.
pub const DEEPEST: Setting = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 1000 };

/// The share of `mix` that `setting` sheds, 0..1. Other knobs shed nothing.
pub fn share(setting: Setting, mix: &[f64; LEVELS]) -> f64 {
    let Setting::Admission { lowest, fraction_permille } = setting else { return 0.0 };
    let total: f64 = mix.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let below: f64 = mix[..lowest.index()].iter().sum();
    let boundary = mix[lowest.index()] * f64::from(1000 - fraction_permille.min(1000)) / 1000.0;
    (below + boundary) / total
}

/// The setting that sheds at least `wanted` of `mix` (to within a thousandth of the boundary class), lowest first.
pub fn setting(wanted: f64, mix: &[f64; LEVELS]) -> Setting {
    let total: f64 = mix.iter().sum();
    if wanted <= 0.0 || total <= 0.0 {
        return OPEN;
    }
    let mut rest = wanted.min(1.0) * total;
    for level in Criticality::ALL {
        let here = mix[level.index()];
        if here > rest {
            let admitted = libm::floor((1.0 - rest / here) * 1000.0).clamp(0.0, 1000.0);
            return Setting::Admission { lowest: level, fraction_permille: admitted as u16 };
        }
        rest -= here;
    }
    Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 0 }
}

/// How deep a setting cuts, whatever the mix: 0 is open, 4000 sheds everything.
pub fn depth(setting: Setting) -> u32 {
    let Setting::Admission { lowest, fraction_permille } = setting else { return 0 };
    lowest.index() as u32 * 1000 + u32::from(1000 - fraction_permille.min(1000))
}

/// Does the setting shed any `CRITICAL_PLUS`?
pub fn sheds_critical_plus(setting: Setting) -> bool {
    depth(setting) > depth(DEEPEST)
}

/// The shallower of two settings.
pub fn milder(a: Setting, b: Setting) -> Setting {
    if depth(a) <= depth(b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lowest_goes_first_and_the_boundary_class_in_part() {
        let mix = [10.0, 20.0, 60.0, 10.0];
        let half = setting(0.5, &mix);
        assert_eq!(half, Setting::Admission { lowest: Criticality::Critical, fraction_permille: 666 });
        assert!((share(half, &mix) - 0.5).abs() < 0.001);
        assert_eq!(setting(0.0, &mix), OPEN);
        assert!(sheds_critical_plus(setting(0.95, &mix)));
        assert!(!sheds_critical_plus(setting(0.9, &mix)));
    }

    proptest! {
        #[test]
        fn a_setting_sheds_what_was_asked(wanted in 0.0..1.0f64, mix in prop::array::uniform4(0.0..1000.0f64)) {
            let shed = share(setting(wanted, &mix), &mix);
            if mix.iter().sum::<f64>() > 0.0 {
                prop_assert!(shed >= wanted - 1e-9, "{shed} {wanted}");
                prop_assert!(shed <= wanted + 0.0011, "{shed} {wanted}");
            }
        }
    }
}
