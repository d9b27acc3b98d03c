//! The table that decides: immutable, shared by many threads, read in a few nanoseconds.

use crate::priority::{Boundary, period};
use crate::{Decision, Load, Reason, Request, Retry};
use model::{LEVELS, NameId};

/// Everything a decision needs, worked out beforehand by [`crate::step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Rises with each table.
    pub version: u64,
    /// The boundary for what is not listed in `operations`.
    pub service: Boundary,
    /// Operations with a stricter boundary of their own, sorted by id.
    pub operations: Vec<(NameId, Boundary)>,
    /// Operations that are never shed, sorted by id. They still meet the queue's bound.
    pub never_shed: Vec<NameId>,
    /// How long the same cohorts are admitted.
    pub rotate_ms: u64,
    /// What may be in flight, for each class, lowest first.
    pub in_flight_max: [u32; LEVELS],
    /// The queue's bound in milliseconds of waiting.
    pub queue_bound_ms: u32,
    /// What a client is told that this instance alone refuses: `Never` while a command says that the fleet is busy.
    pub retry: Retry,
    /// Retries as a share of first attempts, for the client side.
    pub retry_ratio_permille: u16,
    /// How long the client side waits for one try.
    pub timeout_ms: u32,
    /// The degradation level.
    pub kill_level: u8,
    /// The share of its usual traffic that the instance is to be given, in 1/1000: for whoever balances.
    pub takes_permille: u16,
}

/// Is the request admitted? Constant time but for a binary search among the operations that are commanded.
#[inline]
pub fn decide(table: &Table, request: &Request, load: Load, now_ms: u64) -> Decision {
    let waits_until_ms = now_ms + u64::from(load.queued_work_ms);
    if request.deadline_ms.is_some_and(|deadline_ms| waits_until_ms >= deadline_ms) {
        return Decision::Refuse { reason: Reason::Expired, retry: Retry::Never };
    }
    if load.queued_work_ms > table.queue_bound_ms {
        return Decision::Refuse { reason: Reason::QueueFull, retry: table.retry };
    }
    if request.spared || table.never_shed.binary_search(&request.operation).is_ok() {
        return Decision::Admit;
    }
    let boundary = match table.operations.binary_search_by_key(&request.operation, |row| row.0) {
        Ok(at) => table.operations[at].1,
        Err(_) => table.service,
    };
    let period = period(now_ms, table.rotate_ms);
    if !boundary.admits(request.criticality, request.cohort, request.spread, period) {
        return Decision::Refuse { reason: Reason::Priority, retry: Retry::Never };
    }
    if load.in_flight.saturating_add(request.cost) > table.in_flight_max[request.criticality.index()] {
        return Decision::Refuse { reason: Reason::Concurrency, retry: table.retry };
    }
    Decision::Admit
}
