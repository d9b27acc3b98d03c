//! What is known of a quantity: between this and that, or nothing.

use serde::{Deserialize, Serialize};

/// A closed interval. Invariant: `low <= high`, both finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interval {
    /// The least that it may be.
    pub low: f64,
    /// The most that it may be.
    pub high: f64,
}

impl Interval {
    /// The interval between two values in either order; `None` if one is not finite.
    pub fn between(a: f64, b: f64) -> Option<Interval> {
        (a.is_finite() && b.is_finite()).then(|| Interval { low: a.min(b), high: a.max(b) })
    }

    /// The middle.
    pub fn middle(self) -> f64 {
        self.low + (self.high - self.low) / 2.0
    }
}
