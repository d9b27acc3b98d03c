//! A queue that is bounded in milliseconds of work, drops expired work first and cheaply, evicts the least important and
//! oldest next, and turns to newest-first while it is overloaded.
//!
//! A queue longer than the clients' patience holds only work that nobody waits for any more; bounding it well under
//! capacity × client timeout ends retry storms without any detector. Newest-first under overload: Maurer, "Fail at
//! Scale", ACM Queue 2015 (adaptive LIFO). Invariant: the work that waits never exceeds the bound, except for a single
//! entry.

use crate::{Reason, Retry};
use model::{Criticality, LEVELS};
use std::collections::VecDeque;

/// One waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The request.
    pub item: T,
    /// When it began to wait, Unix milliseconds.
    pub enqueued_ms: u64,
    /// When nobody waits for the answer any more.
    pub deadline_ms: Option<u64>,
    /// How long one worker is expected to work on it, microseconds.
    pub work_us: u32,
    /// How bad it is to drop it.
    pub criticality: Criticality,
}

/// A request that left without being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped<T> {
    /// The request.
    pub entry: Entry<T>,
    /// Why.
    pub reason: Reason,
    /// What its client is told.
    pub retry: Retry,
}

/// Who is served next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOrder {
    /// Always the oldest.
    Fifo,
    /// The oldest; once the queue has not been empty for this long, the newest of the most important class.
    AdaptiveLifo {
        /// How long, milliseconds.
        after_ms: u32,
    },
}

/// The queue of one instance.
#[derive(Clone, Debug)]
pub struct QueuePolicy<T> {
    /// One lane for each class, lowest first; oldest in front. The number says who came first across lanes.
    lanes: [VecDeque<(u64, Entry<T>)>; LEVELS],
    next: u64,
    work_us: u64,
    workers: u32,
    bound_ms: u32,
    order: QueueOrder,
    retry: Retry,
    empty_at_ms: u64,
    swept_at_ms: Option<u64>,
}

impl<T> QueuePolicy<T> {
    /// An empty queue in front of `workers` workers.
    pub fn new(bound_ms: u32, workers: u32, order: QueueOrder) -> QueuePolicy<T> {
        QueuePolicy {
            lanes: [const { VecDeque::new() }; LEVELS],
            next: 0,
            work_us: 0,
            workers: workers.max(1),
            bound_ms,
            order,
            retry: Retry::AfterMs(bound_ms),
            empty_at_ms: 0,
            swept_at_ms: None,
        }
    }

    /// Another bound, in milliseconds of waiting; holds from the next push on.
    pub fn set_bound_ms(&mut self, bound_ms: u32) {
        self.bound_ms = bound_ms;
    }

    /// Another number of workers.
    pub fn set_workers(&mut self, workers: u32) {
        self.workers = workers.max(1);
    }

    /// What clients are told whose work does not fit: `Never` while the fleet sheds, or they come right back.
    pub fn set_retry(&mut self, retry: Retry) {
        self.retry = retry;
    }

    /// Requests waiting.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Does nobody wait?
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// How long a request that comes now would wait, by the work ahead of it, milliseconds.
    pub fn work_ms(&self) -> u64 {
        self.work_us / 1000 / u64::from(self.workers)
    }

    /// How long the oldest has waited, milliseconds; 0 if nobody waits.
    pub fn delay_ms(&self, now_ms: u64) -> u64 {
        let oldest = self.lanes.iter().filter_map(|lane| Some(lane.front()?.1.enqueued_ms)).min();
        oldest.map_or(0, |enqueued_ms| now_ms.saturating_sub(enqueued_ms))
    }

    /// Is it serving the newest first?
    pub fn is_overloaded(&self, now_ms: u64) -> bool {
        match self.order {
            QueueOrder::Fifo => false,
            QueueOrder::AdaptiveLifo { after_ms } => {
                !self.is_empty() && now_ms.saturating_sub(self.empty_at_ms) > u64::from(after_ms)
            }
        }
    }

    /// Lets a request wait. What has no place any more (perhaps the request itself) goes to `dropped`: expired work
    /// first, then the oldest of the lowest class that is not above the newcomer's.
    pub fn push(&mut self, entry: Entry<T>, now_ms: u64, dropped: &mut Vec<Dropped<T>>) {
        if is_expired(&entry, now_ms) {
            dropped.push(Dropped { entry, reason: Reason::Expired, retry: Retry::Never });
            return;
        }
        if self.is_empty() {
            self.empty_at_ms = now_ms;
        }
        if !self.fits(&entry) && self.swept_at_ms != Some(now_ms) {
            self.sweep(now_ms, dropped);
        }
        let lane = entry.criticality.index();
        while !self.fits(&entry) {
            let Some(victim) = self.lanes[..=lane].iter_mut().find_map(VecDeque::pop_front) else {
                dropped.push(Dropped { entry, reason: Reason::QueueFull, retry: self.retry });
                return;
            };
            self.work_us -= u64::from(victim.1.work_us);
            dropped.push(Dropped { entry: victim.1, reason: Reason::QueueFull, retry: self.retry });
        }
        self.work_us += u64::from(entry.work_us);
        self.lanes[lane].push_back((self.next, entry));
        self.next += 1;
    }

    /// The next request to serve; expired ones that stand in the way go to `dropped`.
    pub fn pop(&mut self, now_ms: u64, dropped: &mut Vec<Dropped<T>>) -> Option<Entry<T>> {
        self.pop_at_least(Criticality::Sheddable, now_ms, dropped)
    }

    /// The next request of class `lowest` or above: what is left of the limit may be kept for those.
    pub fn pop_at_least(
        &mut self,
        lowest: Criticality,
        now_ms: u64,
        dropped: &mut Vec<Dropped<T>>,
    ) -> Option<Entry<T>> {
        self.drop_expired_fronts(now_ms, dropped);
        let served = lowest.index()..LEVELS;
        loop {
            let newest_first = self.is_overloaded(now_ms);
            let lane = if newest_first {
                served.clone().rev().find(|lane| !self.lanes[*lane].is_empty())
            } else {
                let first = |lane: &usize| self.lanes[*lane].front().map_or(u64::MAX, |(number, _)| *number);
                served.clone().filter(|lane| !self.lanes[*lane].is_empty()).min_by_key(first)
            };
            let lane = &mut self.lanes[lane?];
            let (_, entry) = if newest_first { lane.pop_back() } else { lane.pop_front() }?;
            self.work_us -= u64::from(entry.work_us);
            if !is_expired(&entry, now_ms) {
                return Some(entry);
            }
            dropped.push(Dropped { entry, reason: Reason::Expired, retry: Retry::Never });
        }
    }

    /// Drops what has waited longer than `older_than_ms` or has expired; its clients are told not to try again.
    pub fn purge(&mut self, older_than_ms: u32, now_ms: u64, dropped: &mut Vec<Dropped<T>>) {
        self.purge_where(older_than_ms, now_ms, dropped, |_| true);
    }

    /// The same, of the requests that are `meant` only.
    pub fn purge_where(
        &mut self,
        older_than_ms: u32,
        now_ms: u64,
        dropped: &mut Vec<Dropped<T>>,
        meant: impl Fn(&T) -> bool,
    ) {
        let bound_ms = u64::from(older_than_ms);
        self.drop_where(Reason::Purged, dropped, |entry| {
            let old = now_ms.saturating_sub(entry.enqueued_ms) > bound_ms || is_expired(entry, now_ms);
            old && meant(&entry.item)
        });
    }

    /// Drops what has expired, or whose client has `left`, wherever it stands.
    pub fn drop_expired(&mut self, now_ms: u64, dropped: &mut Vec<Dropped<T>>, left: impl Fn(&T) -> bool) {
        self.drop_where(Reason::Expired, dropped, |entry| is_expired(entry, now_ms) || left(&entry.item));
    }

    fn fits(&self, entry: &Entry<T>) -> bool {
        let after_us = self.work_us + u64::from(entry.work_us);
        self.is_empty() || after_us <= u64::from(self.bound_ms) * 1000 * u64::from(self.workers)
    }

    /// Looks at everything that waits; at most once in a millisecond.
    fn sweep(&mut self, now_ms: u64, dropped: &mut Vec<Dropped<T>>) {
        self.swept_at_ms = Some(now_ms);
        self.drop_where(Reason::Expired, dropped, |entry| is_expired(entry, now_ms));
    }

    fn drop_where(&mut self, reason: Reason, dropped: &mut Vec<Dropped<T>>, gone: impl Fn(&Entry<T>) -> bool) {
        for lane in &mut self.lanes {
            if !lane.iter().any(|(_, entry)| gone(entry)) {
                continue;
            }
            for (number, entry) in std::mem::take(lane) {
                if gone(&entry) {
                    self.work_us -= u64::from(entry.work_us);
                    dropped.push(Dropped { entry, reason, retry: Retry::Never });
                } else {
                    lane.push_back((number, entry));
                }
            }
        }
    }

    fn drop_expired_fronts(&mut self, now_ms: u64, dropped: &mut Vec<Dropped<T>>) {
        for lane in &mut self.lanes {
            while lane.front().is_some_and(|(_, entry)| is_expired(entry, now_ms)) {
                let Some((_, entry)) = lane.pop_front() else { break };
                self.work_us -= u64::from(entry.work_us);
                dropped.push(Dropped { entry, reason: Reason::Expired, retry: Retry::Never });
            }
        }
    }
}

fn is_expired<T>(entry: &Entry<T>, now_ms: u64) -> bool {
    entry.deadline_ms.is_some_and(|deadline_ms| now_ms >= deadline_ms)
}

#[cfg(test)]
mod tests;
