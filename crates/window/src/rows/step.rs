//! A step inside a service (an INTERNAL span) while its window is open.

use super::{Accumulator, key::RowKey};
use model::{Count, LocalRow, NameId, Outcome};

/// Which step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepKey {
    pub(crate) service: NameId,
    pub(crate) operation: NameId,
}

/// Fills a [`LocalRow`].
#[derive(Debug, Default)]
pub(crate) struct StepAcc {
    pub(crate) calls: Count,
    failed: Count,
}

impl StepAcc {
    #[inline]
    pub(crate) fn count(&mut self, count: Count, outcome: Outcome) {
        self.calls += count;
        if outcome.is_failure() {
            self.failed += count;
        }
    }

    pub(crate) fn close(&self, key: StepKey) -> LocalRow {
        LocalRow { service: key.service, operation: key.operation, calls: self.calls, failed: self.failed }
    }
}

impl Accumulator for StepAcc {
    fn clear(&mut self) {
        *self = StepAcc::default();
    }
}

impl RowKey for StepKey {
    #[inline]
    fn mix(&self) -> u64 {
        super::key::fold(super::key::SEED ^ self.service.0.rotate_left(31), self.operation.0)
    }

    /// A step that finds no room is left out: its request is counted in any case.
    fn coarser(&self) -> Option<StepKey> {
        None
    }
}
