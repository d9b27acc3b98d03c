//! What all handles of a guard share, and the way of a request through it.

use crate::callee::Callees;
use crate::clock::Clock;
use crate::control::Control;
use crate::event::Events;
use crate::gate::{Gate, Verdict, Waiting};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::shards::Shards;
use crate::sync::{ArcSwap, AtomicU32, Mutex, MutexGuard, Ordering, PoisonError};
use admission::{Decision, Dropped, Entry, Load, Reason, Request, Retry, Table, decide};
use model::Criticality;
use tokio::sync::oneshot;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) table: ArcSwap<Table>,
    pub(crate) counts: Shards,
    pub(crate) gate: Gate,
    pub(crate) callees: Callees,
    pub(crate) events: Events,
    pub(crate) control: Mutex<Control>,
    /// How long one request is worked on, in the mean.
    pub(crate) hold_us: AtomicU32,
}

impl Shared {
    /// Lets a request in at once, or says why not. A refusal writes to nothing that other threads read.
    #[inline]
    pub(crate) fn enter(&self, table: &Table, request: &Request, now_ms: u64) -> Decision {
        let queued_work_ms = self.gate.work_ms();
        let seen = self.counts.glance();
        let decision = decide(table, request, Load { in_flight: seen, queued_work_ms }, now_ms);
        if decision != Decision::Admit {
            return decision;
        }
        let in_flight = self.counts.reserve(request.cost);
        if in_flight > seen {
            // others came in between the glance and the reservation
            let decision = decide(table, request, Load { in_flight, queued_work_ms }, now_ms);
            if decision != Decision::Admit {
                self.leave(request.cost);
                return decision;
            }
        }
        self.counts.admitted(request.criticality.index(), in_flight.saturating_add(request.cost));
        Decision::Admit
    }

    /// Gives a place back, and lets in who waits for it.
    #[inline]
    pub(crate) fn leave(&self, cost: u32) {
        self.counts.release(cost);
        if self.gate.queued() > 0 {
            self.let_in(self.clock.now_ms());
        }
    }

    pub(crate) fn refuse(&self, request: &Request, reason: Reason, retry: Retry) -> Refusal {
        self.counts.refused(request.criticality.index(), reason);
        Refusal { reason, retry, criticality: request.criticality, waited_ms: 0 }
    }

    /// Puts a request into the queue.
    pub(crate) fn queue(&self, request: &Request, now_ms: u64) -> oneshot::Receiver<Verdict> {
        let (tell, told) = oneshot::channel();
        let work_us = self.hold_us.load(Ordering::Relaxed).saturating_mul(request.cost.max(1));
        let entry = Entry {
            item: Waiting { operation: request.operation, cost: request.cost.max(1), tell },
            enqueued_ms: now_ms,
            deadline_ms: request.deadline_ms,
            work_us,
            criticality: request.criticality,
        };
        let dropped = self.gate.join(entry, now_ms);
        self.tell(dropped, now_ms);
        self.let_in(now_ms);
        told
    }

    /// Lets in as many of those who wait as there are places for, by their class.
    pub(crate) fn let_in(&self, now_ms: u64) {
        let table = self.table.load();
        let place = || {
            let in_flight = self.counts.reserve(1);
            let lowest = Criticality::ALL.into_iter().find(|class| in_flight < table.in_flight_max[class.index()]);
            if lowest.is_none() {
                self.counts.release(1);
            }
            lowest
        };
        let back = |cost| self.counts.release(cost);
        let enter = |more| {
            if more > 0 {
                self.counts.reserve(more);
            }
        };
        let dropped = self.gate.let_in(now_ms, place, back, enter);
        self.tell(dropped, now_ms);
    }

    /// Answers those who were dropped from the queue.
    pub(crate) fn tell(&self, dropped: Vec<Dropped<Waiting>>, now_ms: u64) {
        for Dropped { entry, reason, retry } in dropped {
            let waited_ms = u32::try_from(now_ms.saturating_sub(entry.enqueued_ms)).unwrap_or(u32::MAX);
            let refusal = Refusal { reason, retry, criticality: entry.criticality, waited_ms };
            self.counts.refused(entry.criticality.index(), reason);
            // who has left is not told
            let _ = entry.item.tell.send(Err(refusal));
        }
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
