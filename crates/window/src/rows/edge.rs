//! An edge row while its window is open.

use super::exemplar::rank;
use super::service::weighted_us;
use super::{Accumulator, Exemplars, Pool, Ranked, Recorder, highest_equivalent};
use model::{Count, Criticality, EdgeKey, EdgeRow, FAILURES, LEVELS, NameId, Outcome, TraceId, Weight};
use serde::{Deserialize, Serialize};

/// Durations of calls that may have timed out, in one bucket: what a timeout is inferred from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FailedBucket {
    /// The bucket's highest value, µs.
    pub(crate) value_us: u64,
    /// The least of the durations, µs: a timeout fires at or just after its value.
    pub(crate) least_us: u64,
    /// Calls, unweighted.
    pub(crate) calls: u64,
}

/// Adds a bucket to a list that is sorted by value.
pub(crate) fn merge_failed(list: &mut Vec<FailedBucket>, one: FailedBucket) {
    match list.binary_search_by_key(&one.value_us, |bucket| bucket.value_us) {
        Ok(at) => {
            list[at].least_us = list[at].least_us.min(one.least_us);
            list[at].calls += one.calls;
        }
        Err(at) => list.insert(at, one),
    }
}

/// First attempt or retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    Retry,
}

/// One call as it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) trace: TraceId,
    pub(crate) weight: Weight,
    pub(crate) outcome: Outcome,
    pub(crate) attempt: Attempt,
    pub(crate) criticality: Criticality,
    pub(crate) duration_us: u64,
    pub(crate) timeout_ms: u32,
    pub(crate) biased: bool,
    /// Was its span counted before, for less than it stands for?
    pub(crate) again: bool,
}

/// Fills an [`EdgeRow`].
#[derive(Debug, Default)]
pub(crate) struct EdgeAcc {
    pub(crate) calls: Count,
    first_attempts: Count,
    retries: Count,
    failures: [Count; FAILURES],
    pub(crate) client: Recorder,
    pub(crate) server: Recorder,
    pub(crate) gap: Recorder,
    busy_us: u64,
    pub(crate) wasted: Count,
    pub(crate) unpaired: Count,
    /// Of the unpaired ones, those that a sidecar of the callee answered.
    pub(crate) answered_aside: Count,
    spans: u64,
    ahead_us: u64,
    behind_us: u64,
    said_timeout_us: u64,
    criticality: [Count; LEVELS],
    exemplars: Exemplars,
    biased: bool,
    failed: Vec<FailedBucket>,
    /// The peer and client operation that led here last: most calls of an edge say the same.
    pub(crate) via: (NameId, NameId),
}

impl EdgeAcc {
    #[inline]
    pub(crate) fn call(&mut self, called: Called) {
        let count = called.weight.count();
        self.calls += count;
        self.spans += u64::from(!called.again);
        match called.attempt {
            Attempt::First => self.first_attempts += count,
            Attempt::Retry => self.retries += count,
        }
        let mut failed = false;
        if let Outcome::Failed(failure) = called.outcome {
            self.failures[failure.index()] += count;
            failed = true;
        }
        self.criticality[called.criticality.index()] += count;
        self.busy(called.duration_us, count);
        self.biased |= called.biased;
        self.said_timeout_us = self.said_timeout_us.max(u64::from(called.timeout_ms) * 1000);
        let rank = rank(failed, called.duration_us);
        if !called.again && self.exemplars.wants(rank) {
            self.exemplars.offer(Ranked { rank, hash: called.trace.hash(), trace: called.trace });
        }
    }

    /// What its calls stand for is not known after all.
    pub(crate) fn doubt(&mut self) {
        self.biased = true;
    }

    #[inline]
    pub(crate) fn busy(&mut self, duration_us: u64, count: Count) {
        self.busy_us = self.busy_us.saturating_add(weighted_us(duration_us, count));
    }

    /// A call that failed after this time, and not because the callee answered so.
    pub(crate) fn gave_up(&mut self, duration_us: u64) {
        let one = FailedBucket { value_us: highest_equivalent(duration_us), least_us: duration_us, calls: 1 };
        merge_failed(&mut self.failed, one);
    }

    /// The row, without the timeout and the exemplars: those are the merger's.
    pub(crate) fn close(&mut self, key: EdgeKey, pool: &mut Pool) -> EdgeRow {
        EdgeRow {
            key,
            calls: self.calls,
            first_attempts: self.first_attempts,
            retries: self.retries,
            failures: self.failures,
            client: self.client.close(pool),
            server: self.server.close(pool),
            gap: self.gap.close(pool),
            busy_us: self.busy_us,
            wasted: self.wasted,
            unpaired: self.unpaired,
            timeout_us: 0,
            criticality: self.criticality,
            exemplars: Vec::new(),
            biased: self.biased,
            spans: self.spans,
            ahead_us: self.ahead_us,
            behind_us: self.behind_us,
        }
    }

    /// Two clocks disagree by at least this, nanoseconds: the callee's is ahead of the caller's, or behind it.
    pub(crate) fn skew(&mut self, ahead_ns: u64, behind_ns: u64) {
        self.ahead_us = self.ahead_us.max(ahead_ns / 1000);
        self.behind_us = self.behind_us.max(behind_ns / 1000);
    }

    pub(crate) fn exemplars(&self) -> &[Ranked] {
        self.exemplars.kept()
    }

    pub(crate) fn failed(&self) -> &[FailedBucket] {
        &self.failed
    }

    pub(crate) fn said_timeout_us(&self) -> u64 {
        self.said_timeout_us
    }

    pub(crate) fn bytes(&self) -> usize {
        self.client.bytes() + self.server.bytes() + self.gap.bytes() + self.failed.capacity() * 24
    }
}

impl Accumulator for EdgeAcc {
    fn clear(&mut self) {
        let mut kept = std::mem::take(self);
        kept.failed.clear();
        kept.exemplars.clear();
        *self = EdgeAcc {
            client: kept.client,
            server: kept.server,
            gap: kept.gap,
            failed: kept.failed,
            exemplars: kept.exemplars,
            ..EdgeAcc::default()
        };
    }
}
