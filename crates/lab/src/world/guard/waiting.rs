//! Where requests wait: a plain queue, or the bounded one of `admission` while a bound is in force.

use crate::topology::Order;
use crate::world::arena::Key;
use admission::{Dropped, Entry, QueueOrder, QueuePolicy, Retry};
use model::Criticality;
use std::collections::VecDeque;

/// What a queue must know of a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Wait {
    /// Now, Unix milliseconds.
    pub(in crate::world) now_ms: u64,
    /// When it arrived, Unix milliseconds.
    pub(in crate::world) arrived_ms: u64,
    /// When nobody waits for the answer any more, Unix milliseconds.
    pub(in crate::world) deadline_ms: Option<u64>,
    pub(in crate::world) criticality: Criticality,
    pub(in crate::world) cohort: u8,
}

/// The queue of one instance.
pub(in crate::world) enum Waiting {
    /// In the order of the topology.
    Plain(VecDeque<Key>),
    /// Bounded in milliseconds of work; drops what has expired.
    Bounded(Box<QueuePolicy<Key>>),
}

/// A request that is dropped, and what its client is told.
pub(in crate::world) type Drop = (Key, Retry);

impl Waiting {
    pub(in crate::world) fn len(&self) -> usize {
        match self {
            Waiting::Plain(queue) => queue.len(),
            Waiting::Bounded(queue) => queue.len(),
        }
    }

    /// Lets a request wait. What has no place any more, perhaps itself, is given back.
    pub(in crate::world) fn push(&mut self, key: Key, wait: &Wait, work_us: u32, dropped: &mut Vec<Drop>) {
        match self {
            Waiting::Plain(queue) => queue.push_back(key),
            Waiting::Bounded(queue) => {
                let mut out = Vec::new();
                queue.push(entry(key, wait, work_us), wait.now_ms, &mut out);
                dropped.extend(out.into_iter().map(leave));
            }
        }
    }

    /// Who is next; what has expired on the way is given back.
    pub(in crate::world) fn pop(&mut self, order: Order, now_ms: u64, dropped: &mut Vec<Drop>) -> Option<Key> {
        match (self, order) {
            (Waiting::Plain(queue), Order::Fifo) => queue.pop_front(),
            (Waiting::Plain(queue), Order::Lifo) => queue.pop_back(),
            (Waiting::Bounded(queue), _) => {
                let mut out = Vec::new();
                let next = queue.pop(now_ms, &mut out);
                dropped.extend(out.into_iter().map(leave));
                next.map(|entry| entry.item)
            }
        }
    }

    /// The oldest, if it is `expired`. The bounded queue sees to that by itself.
    pub(in crate::world) fn pop_expired(&mut self, expired: impl Fn(Key) -> bool) -> Option<Key> {
        match self {
            Waiting::Plain(queue) if queue.front().is_some_and(|key| expired(*key)) => queue.pop_front(),
            _ => None,
        }
    }

    /// Everything that waits, which waits no more; a plain queue is left.
    pub(in crate::world) fn drain(&mut self) -> Vec<Key> {
        match std::mem::replace(self, Waiting::Plain(VecDeque::new())) {
            Waiting::Plain(queue) => queue.into(),
            Waiting::Bounded(mut queue) => take_all(&mut queue).into(),
        }
    }

    /// Who stands in front.
    pub(in crate::world) fn oldest_ms(&self, now_ms: u64, arrived_ms: impl Fn(Key) -> Option<u64>) -> u64 {
        match self {
            Waiting::Plain(queue) => {
                let arrived = queue.front().and_then(|key| arrived_ms(*key));
                arrived.map_or(0, |arrived_ms| now_ms.saturating_sub(arrived_ms))
            }
            Waiting::Bounded(queue) => queue.delay_ms(now_ms),
        }
    }

    /// Takes on a bound, changes it, or goes back to a plain queue. `look` finds what a waiting request is like.
    pub(in crate::world) fn set_bound(
        &mut self,
        bound: Bound,
        look: impl Fn(Key) -> Option<Wait>,
        dropped: &mut Vec<Drop>,
    ) {
        match (&mut *self, bound.bound_ms) {
            (Waiting::Plain(_), None) => {}
            (Waiting::Bounded(queue), Some(bound_ms)) => {
                queue.set_bound_ms(bound_ms);
                queue.set_workers(bound.workers);
                queue.set_retry(bound.retry);
            }
            (Waiting::Plain(plain), Some(bound_ms)) => {
                let mut queue = QueuePolicy::new(bound_ms, bound.workers, bound.order());
                queue.set_retry(bound.retry);
                let mut out = Vec::new();
                for (key, wait) in plain.drain(..).filter_map(|key| Some((key, look(key)?))) {
                    queue.push(entry(key, &wait, bound.work_us), wait.now_ms, &mut out);
                }
                dropped.extend(out.into_iter().map(leave));
                *self = Waiting::Bounded(Box::new(queue));
            }
            (Waiting::Bounded(queue), None) => {
                let plain = take_all(queue);
                *self = Waiting::Plain(plain);
            }
        }
    }

    /// Drops what has waited longer, or for nobody; of `meant` requests only.
    pub(in crate::world) fn purge(
        &mut self,
        older_than_ms: u32,
        now_ms: u64,
        look: impl Fn(Key) -> Option<Wait>,
        meant: impl Fn(Key) -> bool,
        dropped: &mut Vec<Drop>,
    ) {
        let mut out = Vec::new();
        match self {
            Waiting::Bounded(queue) => queue.purge(older_than_ms, now_ms, &mut out),
            Waiting::Plain(plain) => {
                let mut queue = QueuePolicy::new(u32::MAX, 1, QueueOrder::Fifo);
                let mut kept = VecDeque::new();
                for key in plain.drain(..) {
                    match look(key).filter(|_| meant(key)) {
                        Some(wait) => queue.push(entry(key, &wait, 0), now_ms, &mut out),
                        None => kept.push_back(key),
                    }
                }
                queue.purge(older_than_ms, now_ms, &mut out);
                while let Some(entry) = queue.pop(now_ms, &mut out) {
                    kept.push_back(entry.item);
                }
                *plain = kept;
            }
        }
        dropped.extend(out.into_iter().map(leave));
    }
}

/// What a bound is made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Bound {
    /// None goes back to a plain queue.
    pub(in crate::world) bound_ms: Option<u32>,
    pub(in crate::world) workers: u32,
    pub(in crate::world) work_us: u32,
    pub(in crate::world) retry: Retry,
    pub(in crate::world) order: Order,
}

impl Bound {
    fn order(&self) -> QueueOrder {
        match self.order {
            Order::Fifo => QueueOrder::Fifo,
            Order::Lifo => QueueOrder::AdaptiveLifo { after_ms: 0 },
        }
    }
}

/// Everything that waits in a bounded queue, the oldest first, whatever its order is.
fn take_all(queue: &mut QueuePolicy<Key>) -> VecDeque<Key> {
    let mut out = Vec::new();
    // at time 0 nothing has expired
    let mut entries: Vec<Entry<Key>> = std::iter::from_fn(|| queue.pop(0, &mut out)).collect();
    entries.sort_by_key(|entry| entry.enqueued_ms);
    entries.into_iter().map(|entry| entry.item).collect()
}

fn entry(key: Key, wait: &Wait, work_us: u32) -> Entry<Key> {
    let Wait { arrived_ms, deadline_ms, criticality, .. } = *wait;
    Entry { item: key, enqueued_ms: arrived_ms, deadline_ms, work_us, criticality }
}

fn leave(dropped: Dropped<Key>) -> Drop {
    (dropped.entry.item, dropped.retry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::arena::Arena;

    #[test]
    fn a_queue_that_was_bounded_for_a_while_keeps_its_order() {
        for (order, wanted) in [(Order::Fifo, [0, 1, 2]), (Order::Lifo, [2, 1, 0])] {
            let mut arena = Arena::new();
            let keys: Vec<Key> = (0..3).map(|number| arena.insert(number)).collect();
            let look = |key: Key| {
                let arrived_ms = keys.iter().position(|known| *known == key)? as u64;
                let (deadline_ms, criticality) = (None, Criticality::Critical);
                Some(Wait { now_ms: 10, arrived_ms, deadline_ms, criticality, cohort: 0 })
            };
            let mut queue = Waiting::Plain(keys.iter().copied().collect());
            let mut dropped = Vec::new();
            for bound_ms in [Some(1000), None] {
                let bound = Bound { bound_ms, workers: 1, work_us: 1000, retry: Retry::Never, order };
                queue.set_bound(bound, look, &mut dropped);
            }
            let taken = [(); 3].map(|()| queue.pop(order, 20, &mut dropped).and_then(|key| arena.get(key).copied()));
            assert_eq!((taken, dropped.len()), (wanted.map(Some), 0));
        }
    }
}
