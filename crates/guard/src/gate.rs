//! Where requests wait for a place: the queue of [`admission::QueuePolicy`] behind a lock that is only taken while
//! somebody waits.
//!
//! No wake-up is lost: who joins says so (`queued`) before looking again for a free place, and who leaves frees the place
//! before looking whether somebody waits, so that one of the two sees the other. A step looks again in any case.

use crate::refusal::Refusal;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, PoisonError};
use admission::{Dropped, Entry, QueueOrder, QueuePolicy, Retry};
use model::{Criticality, NameId};
use tokio::sync::oneshot;

/// What a waiting request is told.
pub(crate) type Verdict = Result<(), Refusal>;

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) operation: NameId,
    pub(crate) cost: u32,
    pub(crate) tell: oneshot::Sender<Verdict>,
}

#[derive(Debug)]
pub(crate) struct Gate {
    queue: Mutex<QueuePolicy<Waiting>>,
    queued: AtomicU32,
    work_ms: AtomicU32,
}

impl Gate {
    pub(crate) fn new(bound_ms: u32, lifo_after_ms: u32) -> Gate {
        let queue = QueuePolicy::new(bound_ms, 1, QueueOrder::AdaptiveLifo { after_ms: lifo_after_ms });
        Gate { queue: Mutex::new(queue), queued: AtomicU32::new(0), work_ms: AtomicU32::new(0) }
    }

    /// Requests waiting.
    #[inline]
    pub(crate) fn queued(&self) -> u32 {
        self.queued.load(Ordering::SeqCst)
    }

    /// How long a request that comes now would wait.
    #[inline]
    pub(crate) fn work_ms(&self) -> u32 {
        self.work_ms.load(Ordering::Relaxed)
    }

    /// How long the oldest has waited.
    pub(crate) fn delay_ms(&self, now_ms: u64) -> u64 {
        if self.queued() == 0 { 0 } else { self.lock().delay_ms(now_ms) }
    }

    /// The bound, the places and the answer of the newest table.
    pub(crate) fn configure(&self, bound_ms: u32, places: u32, retry: Retry) {
        let mut queue = self.lock();
        queue.set_bound_ms(bound_ms);
        queue.set_workers(places);
        queue.set_retry(retry);
        self.publish(&queue);
    }

    /// Puts a request into the queue; gives who has to leave for it (perhaps itself).
    pub(crate) fn join(&self, entry: Entry<Waiting>, now_ms: u64) -> Vec<Dropped<Waiting>> {
        let (mut queue, mut dropped) = (self.lock(), Vec::new());
        queue.push(entry, now_ms, &mut dropped);
        self.publish(&queue);
        dropped
    }

    /// Lets in whoever `place` finds a place for. `place` gives the lowest class that may come in now, with one place
    /// taken for it; `back` takes such a place back.
    pub(crate) fn let_in(
        &self,
        now_ms: u64,
        mut place: impl FnMut() -> Option<Criticality>,
        mut back: impl FnMut(u32),
        mut enter: impl FnMut(u32),
    ) -> Vec<Dropped<Waiting>> {
        let (mut queue, mut dropped) = (self.lock(), Vec::new());
        while !queue.is_empty() {
            let Some(lowest) = place() else { break };
            let Some(Entry { item, .. }) = queue.pop_at_least(lowest, now_ms, &mut dropped) else {
                back(1);
                break;
            };
            enter(item.cost - 1);
            if item.tell.send(Ok(())).is_err() {
                // its client has left while it waited
                back(item.cost);
            }
        }
        self.publish(&queue);
        dropped
    }

    /// Drops what has expired and whose client has left.
    pub(crate) fn tidy(&self, now_ms: u64) -> Vec<Dropped<Waiting>> {
        let (mut queue, mut dropped) = (self.lock(), Vec::new());
        queue.drop_expired(now_ms, &mut dropped, |waiting| waiting.tell.is_closed());
        self.publish(&queue);
        dropped
    }

    /// Drops what has waited longer than `older_than_ms`, of one operation or of all.
    pub(crate) fn purge(&self, older_than_ms: u32, operation: Option<NameId>, now_ms: u64) -> Vec<Dropped<Waiting>> {
        let (mut queue, mut dropped) = (self.lock(), Vec::new());
        let meant = |waiting: &Waiting| operation.is_none_or(|only| waiting.operation == only);
        queue.purge_where(older_than_ms, now_ms, &mut dropped, meant);
        self.publish(&queue);
        dropped
    }

    fn lock(&self) -> MutexGuard<'_, QueuePolicy<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, queue: &QueuePolicy<Waiting>) {
        self.queued.store(queue.len() as u32, Ordering::SeqCst);
        self.work_ms.store(u32::try_from(queue.work_ms()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}
