//! How much of a resource is in use, by block of event time.

use crate::sheet::{BLOCK_S, block_of};
use serde::{Deserialize, Serialize};

/// What was measured in the newest block, and the mean of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    block: u64,
    sum_permille: u64,
    points: u64,
    before_permille: Option<u16>,
}

impl Used {
    /// A measurement at `at_s`. What comes after its block has passed says nothing any more.
    pub(crate) fn measure(&mut self, at_s: u64, permille: u16) {
        let block = block_of(at_s);
        if block > self.block {
            self.before_permille = if block == self.block + 1 { self.now_permille() } else { None };
            (self.block, self.sum_permille, self.points) = (block, 0, 0);
        }
        if block == self.block {
            self.sum_permille += u64::from(permille);
            self.points += 1;
        }
    }

    /// The mean of the last whole block, 0..1, or of what there is of the first one.
    pub(crate) fn share(&self) -> Option<f64> {
        self.before_permille.or(self.now_permille()).map(|permille| f64::from(permille) / 1000.0)
    }

    /// Was nothing measured for several blocks?
    pub(crate) fn is_old(&self, now_s: u64) -> bool {
        block_of(now_s).saturating_sub(self.block) > KEPT
    }

    fn now_permille(&self) -> Option<u16> {
        u16::try_from(self.sum_permille.checked_div(self.points)?).ok()
    }
}

/// Blocks after which a measurement says nothing.
const KEPT: u64 = 120 / BLOCK_S;
