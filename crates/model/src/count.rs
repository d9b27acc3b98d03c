//! Weighted counts in fixed point: how many calls the observed spans stand for.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// How many spans one observed span stands for, in 1/1024: a span that was head-sampled at 25 % has weight 4096.
/// Zero means that the weight is not known (an unreconciled sampler); it then counts as one and lowers coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Weight(pub u32);

impl Weight {
    /// One span stands for itself.
    pub const ONE: Weight = Weight(1024);
    /// The sampler's ratio is not known.
    pub const UNKNOWN: Weight = Weight(0);

    /// Is the weight known?
    pub fn is_known(self) -> bool {
        self.0 != 0
    }

    /// The weight as an amount; an unknown weight counts as one.
    pub fn count(self) -> Count {
        Count(u64::from(if self.is_known() { self.0 } else { Weight::ONE.0 }))
    }
}

/// A weighted count, in 1/1024 of a call. Integer, so that sums do not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count(pub u64);

impl Count {
    /// Nothing.
    pub const ZERO: Count = Count(0);

    /// A whole number of calls.
    pub fn of(calls: u64) -> Count {
        Count(calls.saturating_mul(1024))
    }

    /// The count as calls.
    pub fn calls(self) -> f64 {
        self.0 as f64 / 1024.0
    }

    /// Is nothing counted?
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self - other`, never below zero.
    pub fn minus(self, other: Count) -> Count {
        Count(self.0.saturating_sub(other.0))
    }

    /// `self / other` as a share; `None` where `other` is zero.
    pub fn share_of(self, other: Count) -> Option<f64> {
        (other.0 > 0).then(|| self.0 as f64 / other.0 as f64)
    }
}

impl Add for Count {
    type Output = Count;
    fn add(self, other: Count) -> Count {
        Count(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        *self = *self + other;
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Count>>(counts: I) -> Count {
        counts.fold(Count::ZERO, Add::add)
    }
}
