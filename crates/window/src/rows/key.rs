//! Keys of rows, and how they fold when there are too many.

use model::{EdgeKey, FlowKey, NameId, ServiceKey, Span};

/// The id of the name that rows past a cap are folded into, `other`.
pub(crate) const OTHER: NameId = NameId(443_724_853_105_805_865);

/// A row's key.
pub(crate) trait RowKey: Copy + Ord {
    /// A well-mixed hash.
    fn mix(&self) -> u64;
    /// The key of the row that this one folds into; `None` where it cannot be coarser.
    fn coarser(&self) -> Option<Self>;
}

#[inline]
pub(super) fn fold(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word) * u128::from(0xe703_7ed1_a0b4_28db_u64);
    (product as u64) ^ ((product >> 64) as u64)
}

pub(super) const SEED: u64 = 0xa076_1d64_78bd_642f;

impl RowKey for ServiceKey {
    #[inline]
    fn mix(&self) -> u64 {
        let named = fold(SEED ^ self.service.0.rotate_left(31), self.operation.0);
        fold(fold(named, self.version.0.rotate_left(17) ^ self.zone.0), self.instance.0)
    }

    fn coarser(&self) -> Option<ServiceKey> {
        let bare = ServiceKey { service: self.service, operation: self.operation, ..ServiceKey::default() };
        let service = ServiceKey { service: self.service, operation: OTHER, ..ServiceKey::default() };
        let other = ServiceKey { service: OTHER, operation: OTHER, ..ServiceKey::default() };
        [bare, service, other].into_iter().find(|key| key != self && folds_into(*key, *self))
    }
}

/// Only ever towards the coarser: `other` never folds back into a name.
fn folds_into(to: ServiceKey, from: ServiceKey) -> bool {
    let depth = |key: ServiceKey| match key {
        ServiceKey { service: OTHER, .. } => 3,
        ServiceKey { operation: OTHER, .. } => 2,
        ServiceKey { version: NameId::NONE, zone: NameId::NONE, instance: NameId::NONE, .. } => 1,
        _ => 0,
    };
    depth(to) > depth(from)
}

impl RowKey for EdgeKey {
    #[inline]
    fn mix(&self) -> u64 {
        let called = fold(SEED ^ self.caller.0.rotate_left(31), self.callee.0 ^ self.kind as u64);
        fold(fold(called, self.caller_operation.0), self.callee_operation.0)
    }

    fn coarser(&self) -> Option<EdgeKey> {
        if self.caller_operation != OTHER || self.callee_operation != OTHER {
            return Some(EdgeKey { caller_operation: OTHER, callee_operation: OTHER, ..*self });
        }
        let other = EdgeKey { caller: OTHER, callee: OTHER, ..*self };
        (*self != other).then_some(other)
    }
}

impl RowKey for FlowKey {
    #[inline]
    fn mix(&self) -> u64 {
        let entry = fold(SEED ^ self.entry.0.rotate_left(31), self.operation.0);
        fold(entry, self.criticality as u64 | u64::from(self.cohort) << 8)
    }

    fn coarser(&self) -> Option<FlowKey> {
        let eighths = FlowKey { cohort: self.cohort & !15, ..*self };
        if self.cohort != Span::COHORT_UNKNOWN && eighths != *self {
            return Some(eighths);
        }
        let other = FlowKey { entry: OTHER, operation: OTHER, cohort: Span::COHORT_UNKNOWN, ..*self };
        (*self != other).then_some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps<K: RowKey>(key: K) -> usize {
        std::iter::successors(Some(key), RowKey::coarser).count()
    }

    #[test]
    fn every_key_reaches_other_in_few_steps() {
        let name = |id| NameId(id);
        let service =
            ServiceKey { service: name(1), operation: name(2), version: name(3), zone: name(4), instance: name(5) };
        assert_eq!(steps(service), 4);
        assert_eq!(steps(ServiceKey { service: name(1), operation: name(2), ..ServiceKey::default() }), 3);
        let edge = EdgeKey { caller: name(1), caller_operation: name(2), callee: name(3), ..EdgeKey::default() };
        assert_eq!(steps(edge), 3);
        assert_eq!(steps(FlowKey { entry: name(1), operation: name(2), cohort: 77, ..FlowKey::default() }), 3);
    }

    #[test]
    fn other_is_the_name_other() {
        assert_eq!(OTHER, NameId::of("other"));
    }
}
