//! A service row while its window is open.

use super::{Accumulator, Pool, Recorder};
use model::{Count, Criticality, FAILURES, Failure, LEVELS, Outcome, ServiceKey, ServiceRow, Weight};

/// Fills a [`ServiceRow`].
#[derive(Debug, Default)]
pub(crate) struct ServiceAcc {
    pub(crate) calls: Count,
    pub(crate) entries: Count,
    failures: [Count; FAILURES],
    duration: Recorder,
    exclusive: Recorder,
    busy_us: u64,
    wasted: Count,
    lost: Count,
    criticality: [Count; LEVELS],
    unweighted: Count,
    spans: u64,
    /// What the configuration says of this operation's criticality.
    pub(crate) mapped: Option<Criticality>,
}

/// What a service says of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) weight: Weight,
    pub(crate) outcome: Outcome,
    pub(crate) criticality: Criticality,
    /// Streams have none that says anything.
    pub(crate) duration_us: Option<u64>,
    pub(crate) busy_us: u64,
    /// Was its span counted before, for less than it stands for?
    pub(crate) again: bool,
}

impl ServiceAcc {
    #[inline]
    pub(crate) fn serve(&mut self, served: Served, pool: &mut Pool) {
        let count = served.weight.count();
        self.calls += count;
        self.spans += u64::from(!served.again);
        if let Outcome::Failed(failure) = served.outcome {
            self.failures[failure.index()] += count;
        }
        self.criticality[served.criticality.index()] += count;
        if !served.weight.is_known() {
            self.unweighted += Count::of(1);
        }
        if let Some(duration_us) = served.duration_us {
            self.duration.record(duration_us, count, pool);
        }
        self.busy_us = self.busy_us.saturating_add(weighted_us(served.busy_us, count));
    }

    /// The part of a request that was not spent waiting for children.
    #[inline]
    pub(crate) fn own(&mut self, exclusive_us: u64, count: Count, pool: &mut Pool) {
        self.exclusive.record(exclusive_us, count, pool);
    }

    pub(crate) fn waste(&mut self, count: Count) {
        self.wasted += count;
    }

    /// What one of its requests stands for is not known after all.
    pub(crate) fn doubt(&mut self) {
        self.unweighted += Count::of(1);
    }

    pub(crate) fn lose(&mut self, count: Count) {
        self.lost += count;
    }

    pub(crate) fn close(&mut self, key: ServiceKey, pool: &mut Pool) -> ServiceRow {
        ServiceRow {
            key,
            calls: self.calls,
            entries: self.entries,
            failures: self.failures,
            duration: self.duration.close(pool),
            exclusive: self.exclusive.close(pool),
            busy_us: self.busy_us,
            wasted: self.wasted,
            lost: self.lost,
            criticality: self.criticality,
            unweighted: self.unweighted,
            spans: self.spans,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.duration.bytes() + self.exclusive.bytes()
    }
}

impl Accumulator for ServiceAcc {
    fn clear(&mut self) {
        let (duration, exclusive) = (std::mem::take(&mut self.duration), std::mem::take(&mut self.exclusive));
        *self = ServiceAcc { duration, exclusive, ..ServiceAcc::default() };
    }
}

/// A duration times how many calls the span stands for.
#[inline]
pub(crate) fn weighted_us(duration_us: u64, count: Count) -> u64 {
    if count == Count::of(1) {
        return duration_us;
    }
    u64::try_from(u128::from(duration_us) * u128::from(count.0) / 1024).unwrap_or(u64::MAX)
}

/// Kept beside the rows so that a new kind of failure is a compile error here.
const _: () = assert!(Failure::Cancelled as usize + 1 == FAILURES);
