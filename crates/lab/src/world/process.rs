//! What makes a process slow at the moment: contention, a cold start, pauses, a cold cache, a lock.

use super::plan::ServicePlan;
use crate::topology::{Cache, Gc, WarmUp};

/// The inner state of a process, from its start to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// When it started cold; none if it has always been there.
    started_ns: Option<u64>,
    /// How long it has been stopped altogether, and until when it is.
    stalled_ns: u64,
    stalled_until_ns: u64,
    /// Requests taken up since the last collection.
    garbage: u32,
    /// How full the cache is, 0 to 1, and when that was worked out.
    fill: f64,
    filled_ns: u64,
    /// When the lock is free, and how many wait for it or hold it.
    lock_free_ns: u64,
    locking: u32,
}

/// Even a heap full of live data has room for so many new requests between two collections, as a share of itself.
const HEAP_ROOM: f64 = 0.05;

impl Process {
    /// One that has always been there: warm, its cache full.
    pub(super) fn warm() -> Process {
        Process { fill: 1.0, ..Process::default() }
    }

    /// One that has just started.
    pub(super) fn cold(now_ns: u64) -> Process {
        Process { started_ns: Some(now_ns), filled_ns: now_ns, ..Process::default() }
    }

    /// One that has just started and takes over the requests of this one: what they have waited for goes on.
    pub(super) fn succeeded(self, now_ns: u64) -> Process {
        let Process { stalled_ns, stalled_until_ns, lock_free_ns, locking, .. } = self;
        Process { stalled_ns, stalled_until_ns, lock_free_ns, locking, ..Process::cold(now_ns) }
    }

    /// How many times as long work takes that begins now, with `busy` requests at work.
    pub(super) fn slowness(&self, service: &ServicePlan, busy: u32, now_ns: u64) -> f64 {
        let (n, spec) = (f64::from(busy), &service.spec);
        let crowded = 1.0 + spec.contention * (n - 1.0) + spec.coherency * n * (n - 1.0);
        match (self.started_ns, spec.warm_up) {
            (Some(started_ns), Some(warm_up)) => crowded * cold(warm_up, now_ns - started_ns),
            _ => crowded,
        }
    }

    /// When work that begins now is done, and what is to be kept to find out whether it was stopped meanwhile.
    pub(super) fn begin(&self, work_ns: u64, now_ns: u64) -> (u64, u64) {
        (self.stalled_until_ns.max(now_ns) + work_ns, self.stalled_ns)
    }

    /// When work really ends that should have ended now, if it was stopped meanwhile.
    pub(super) fn delayed(&self, seen_ns: &mut u64, now_ns: u64) -> Option<u64> {
        let missed_ns = self.stalled_ns - *seen_ns;
        *seen_ns = self.stalled_ns;
        (missed_ns > 0).then_some(now_ns + missed_ns)
    }

    /// Everything stops for so long.
    fn stall(&mut self, pause_ns: u64, now_ns: u64) {
        self.stalled_until_ns = self.stalled_until_ns.max(now_ns) + pause_ns;
        self.stalled_ns += pause_ns;
    }

    /// A request is taken up, `live` are waiting or at work: is it time to collect garbage?
    pub(super) fn allocate(&mut self, gc: Gc, live: u32, now_ns: u64) {
        self.garbage += 1;
        let heap = f64::from(gc.heap);
        let room = (heap - f64::from(live)).max(HEAP_ROOM * heap);
        if f64::from(self.garbage) >= room {
            self.garbage = 0;
            self.stall((gc.pause_ms * 1e6 + gc.live_us * 1e3 * f64::from(live)) as u64, now_ns);
        }
    }

    /// The share of requests that the cache can answer now.
    pub(super) fn hit_share(&mut self, cache: Cache, now_ns: u64) -> f64 {
        if let Some(ttl_s) = cache.ttl_s {
            self.fill *= libm::exp(-((now_ns - self.filled_ns) as f64) / (ttl_s * 1e9));
            self.filled_ns = now_ns;
        }
        cache.hit_share * self.fill
    }

    /// What a miss has brought is kept, if it is something that can be asked for again.
    pub(super) fn keep(&mut self, cache: Cache) {
        let hit = cache.hit_share * self.fill;
        let new = (cache.hit_share - hit) / (1.0 - hit).max(f64::EPSILON);
        self.fill = (self.fill + new / f64::from(cache.keys)).min(1.0);
    }

    /// The cache forgets a share of what it holds.
    pub(super) fn forget(&mut self, share: f64) {
        self.fill *= 1.0 - share;
    }

    /// Somebody holds the lock until then.
    pub(super) fn hold_lock(&mut self, until_ns: u64) {
        self.lock_free_ns = self.lock_free_ns.max(until_ns);
    }

    /// A request asks for the lock, for `hold_ns`: when does it give it back? Those who wait make hand-overs longer.
    pub(super) fn lock(&mut self, hold_ns: u64, handover_ns: f64, now_ns: u64) -> u64 {
        let handover_ns = (handover_ns * f64::from(self.locking)) as u64;
        self.locking += 1;
        self.lock_free_ns = self.lock_free_ns.max(now_ns) + handover_ns + hold_ns;
        self.lock_free_ns
    }

    /// A request gives the lock back.
    pub(super) fn unlock(&mut self) {
        self.locking = self.locking.saturating_sub(1);
    }
}

/// How slow a process of that age is.
fn cold(warm_up: WarmUp, age_ns: u64) -> f64 {
    let left = 1.0 - age_ns as f64 / (warm_up.time_s * 1e9);
    1.0 + (warm_up.factor - 1.0) * left.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_ends_later_by_just_that() {
        let mut process = Process::warm();
        let (end_ns, mut seen) = process.begin(100, 0);
        process.stall(30, 50);
        assert_eq!((end_ns, process.delayed(&mut seen, 100)), (100, Some(130)));
        assert_eq!(process.delayed(&mut seen, 130), None);
        // who comes while it is stopped begins when it goes on
        assert_eq!(process.begin(100, 60).0, 180);
    }

    #[test]
    fn the_fuller_the_heap_the_more_often_it_stops() {
        let gc = Gc { heap: 100, pause_ms: 1.0, live_us: 10.0 };
        let stalled_ms = |live| {
            let mut process = Process::warm();
            (0..1000).for_each(|_| process.allocate(gc, live, 0));
            process.stalled_ns / 1_000_000
        };
        // every 100 requests 1 ms; every 50 1.5 ms; and no more often than every 5, however many wait
        assert_eq!([stalled_ms(0), stalled_ms(50), stalled_ms(1000)], [10, 30, 2200]);
    }

    #[test]
    fn a_cache_earns_its_hit_share_again() {
        let cache = Cache { hit_share: 0.9, keys: 1000, ttl_s: None };
        let mut process = Process::warm();
        assert!((process.hit_share(cache, 0) - 0.9).abs() < 1e-9);
        process.forget(1.0);
        assert_eq!(process.hit_share(cache, 0), 0.0);
        (0..1000).for_each(|_| process.keep(cache));
        let share = process.hit_share(cache, 0);
        assert!(share > 0.4 && share < 0.9, "{share}");
        (0..100_000).for_each(|_| process.keep(cache));
        assert!((process.hit_share(cache, 0) - 0.9).abs() < 1e-3);
    }

    #[test]
    fn a_convoy_makes_the_lock_slower() {
        let mut process = Process::warm();
        assert_eq!(process.lock(10, 5.0, 0), 10);
        // one holds it, then one holds it and one waits
        assert_eq!([process.lock(10, 5.0, 0), process.lock(10, 5.0, 0)], [25, 45]);
        (0..3).for_each(|_| process.unlock());
        assert_eq!(process.lock(10, 5.0, 100), 110);
        process.hold_lock(500);
        assert_eq!(process.lock(10, 0.0, 200), 510);
    }
}
