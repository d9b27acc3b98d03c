//! What the threads count, on cache lines of their own, and how many requests are in flight.
//!
//! A counter that every core writes to is slower than the whole decision. So each thread counts in a shard; a step adds
//! them up. What is in flight must be known at once: a shard keeps its own change back until it reaches `batch`, so the
//! total is wrong by at most `shards × batch`. `batch` is a sixteenth of the limit for all shards together, and 1, which
//! is exact, while the limit is small.

use crate::sync::{AtomicI64, AtomicU32, AtomicU64, Ordering, place, threads};
use admission::{Reason, Tallies};
use model::LEVELS;

/// Changes are held back up to this much where nothing is limited.
const BATCH_MAX: u32 = 64;
/// Reasons for a refusal.
pub(crate) const REASONS: usize = 5;

#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    in_flight: AtomicI64,
    admitted: [AtomicU32; LEVELS],
    refused: [AtomicU32; LEVELS],
    reasons: [AtomicU32; REASONS],
    completed: AtomicU32,
    in_flight_max: AtomicU32,
    latency_us: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Lonely<T>(T);

/// The counters of one guard.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Box<[Shard]>,
    in_flight: Lonely<AtomicI64>,
    batch: Lonely<AtomicI64>,
}

/// What was counted since the last [`Shards::take`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) tallies: Tallies,
    /// Refusals by reason, see [`reason_index`].
    pub(crate) reasons: [u32; REASONS],
}

/// A reason's place in an array.
pub(crate) fn reason_index(reason: Reason) -> usize {
    match reason {
        Reason::Priority => 0,
        Reason::Concurrency => 1,
        Reason::QueueFull => 2,
        Reason::Expired => 3,
        Reason::Purged => 4,
    }
}

impl Shards {
    /// Counters for as many threads as the machine runs at once.
    pub(crate) fn new() -> Shards {
        let shards = (0..threads().next_power_of_two()).map(|_| Shard::default()).collect();
        Shards { shards, in_flight: Lonely::default(), batch: Lonely(AtomicI64::new(1)) }
    }

    #[inline]
    fn mine(&self) -> &Shard {
        // a power of two
        &self.shards[place() & (self.shards.len() - 1)]
    }

    /// What is in flight, as this thread sees it.
    #[inline]
    pub(crate) fn glance(&self) -> u32 {
        let held_back = self.mine().in_flight.load(Ordering::Relaxed);
        (self.in_flight.0.load(Ordering::Relaxed) + held_back).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Puts `cost` in flight; gives what was in flight before.
    #[inline]
    pub(crate) fn reserve(&self, cost: u32) -> u32 {
        let before = self.shift(i64::from(cost)) - i64::from(cost);
        before.clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Takes `cost` out again.
    #[inline]
    pub(crate) fn release(&self, cost: u32) {
        self.shift(-i64::from(cost));
    }

    /// Gives the total after the change.
    #[inline]
    fn shift(&self, by: i64) -> i64 {
        let batch = self.batch.0.load(Ordering::Relaxed);
        if batch <= 1 {
            return self.in_flight.0.fetch_add(by, Ordering::SeqCst) + by;
        }
        let shard = self.mine();
        let held_back = shard.in_flight.fetch_add(by, Ordering::Relaxed) + by;
        if held_back.abs() < batch {
            return self.in_flight.0.load(Ordering::Relaxed) + held_back;
        }
        let moved = shard.in_flight.swap(0, Ordering::Relaxed);
        self.in_flight.0.fetch_add(moved, Ordering::SeqCst) + moved
    }

    /// What is in flight, all shards together.
    pub(crate) fn in_flight(&self) -> u32 {
        let held_back: i64 = self.shards.iter().map(|shard| shard.in_flight.load(Ordering::Relaxed)).sum();
        (self.in_flight.0.load(Ordering::SeqCst) + held_back).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// The limit that the next decisions compare with: decides how exact the total must be.
    pub(crate) fn set_limit(&self, limit: u32) {
        let batch = (limit / 16 / self.shards.len() as u32).clamp(1, BATCH_MAX);
        self.batch.0.store(i64::from(batch), Ordering::Relaxed);
        if batch == 1 {
            for shard in &self.shards {
                let moved = shard.in_flight.swap(0, Ordering::Relaxed);
                self.in_flight.0.fetch_add(moved, Ordering::SeqCst);
            }
        }
    }

    #[inline]
    pub(crate) fn admitted(&self, class: usize, in_flight: u32) {
        let shard = self.mine();
        shard.admitted[class].fetch_add(1, Ordering::Relaxed);
        if in_flight > shard.in_flight_max.load(Ordering::Relaxed) {
            shard.in_flight_max.fetch_max(in_flight, Ordering::Relaxed);
        }
    }

    pub(crate) fn refused(&self, class: usize, reason: Reason) {
        let shard = self.mine();
        shard.refused[class].fetch_add(1, Ordering::Relaxed);
        shard.reasons[reason_index(reason)].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn completed(&self, took_us: u64) {
        let shard = self.mine();
        shard.completed.fetch_add(1, Ordering::Relaxed);
        shard.latency_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Everything that was counted since the last call.
    pub(crate) fn take(&self) -> Counted {
        let mut counted = Counted::default();
        let mut in_flight_max = self.in_flight();
        for shard in &self.shards {
            let take = |counter: &AtomicU32| counter.swap(0, Ordering::Relaxed);
            let mut reasons = [0; REASONS];
            reasons.iter_mut().zip(&shard.reasons).for_each(|(sum, counter)| *sum = take(counter));
            counted.tallies.add(&Tallies {
                admitted: shard.admitted.each_ref().map(take),
                refused: shard.refused.each_ref().map(take),
                completed: take(&shard.completed),
                latency_us_sum: shard.latency_us.swap(0, Ordering::Relaxed),
                in_flight_max: 0,
            });
            // each shard saw the total, so the most of all is the most that was seen
            in_flight_max = in_flight_max.max(take(&shard.in_flight_max));
            (0..REASONS).for_each(|at| counted.reasons[at] += reasons[at]);
        }
        counted.tallies.in_flight_max = in_flight_max;
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_off_by_no_more_than_a_sixteenth_of_the_limit() {
        shuttle::check_random(
            || {
                let shards = Shards::new();
                shards.set_limit(1600);
                (0..800).for_each(|_| _ = shards.reserve(1));
                assert!(shards.reserve(1).abs_diff(800) <= 100);
            },
            1,
        );
    }
}
