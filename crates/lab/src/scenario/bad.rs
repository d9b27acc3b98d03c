//! The bad state, as users feel it: too few of their requests are answered well.

use crate::Second;
use model::Criticality;
use serde::{Deserialize, Deserializer};

/// When the fleet counts as being in the bad state.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BadState {
    /// Fewer than this share of the requests are answered well, 0 to 1.
    pub good_below: f64,
    /// Over so many of the last seconds.
    pub over_s: u32,
    /// Only requests of this criticality or a higher one count.
    #[serde(deserialize_with = "criticality")]
    pub criticality: Criticality,
}

impl Default for BadState {
    fn default() -> Self {
        BadState { good_below: 0.8, over_s: 5, criticality: Criticality::Sheddable }
    }
}

impl BadState {
    /// For each second, was the fleet in the bad state at its end? A second in which nobody came is as the one before it.
    pub fn judge(&self, tally: &[Second]) -> Vec<bool> {
        let (mut good, mut offered) = (0, 0);
        let mut bad = false;
        let mut judged = Vec::with_capacity(tally.len());
        for (second, counts) in tally.iter().enumerate() {
            good += self.count(&counts.good_by);
            offered += self.count(&counts.offered_by);
            if let Some(gone) = second.checked_sub(self.over_s as usize) {
                good -= self.count(&tally[gone].good_by);
                offered -= self.count(&tally[gone].offered_by);
            }
            if offered > 0 {
                bad = (good as f64) < self.good_below * offered as f64;
            }
            judged.push(bad);
        }
        judged
    }

    fn count(&self, by: &[u64]) -> u64 {
        by[self.criticality.index()..].iter().sum()
    }
}

fn criticality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Criticality, D::Error> {
    crate::topology::criticality(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(offered: u64, good: u64) -> Second {
        Second { offered_by: [10, 0, 0, offered], good_by: [10, 0, 0, good], ..Second::default() }
    }

    #[test]
    fn it_is_judged_over_a_sliding_window_of_those_that_count() {
        let tally = [second(10, 10), second(10, 2), second(10, 10), second(0, 0), second(0, 0), second(0, 0)];
        let all = BadState { good_below: 0.8, over_s: 2, criticality: Criticality::Sheddable };
        assert_eq!(all.judge(&tally), [false, false, false, false, false, false]);
        let paying = BadState { criticality: Criticality::CriticalPlus, ..all };
        assert_eq!(paying.judge(&tally), [false, true, true, false, false, false]);
    }
}
