//! The guard's clock: the only place that asks what time it is.
//!
//! Monotonic between two looks at the wall clock, so that a queue or a breaker never sees time run backwards; the wall
//! clock is looked at with each step, because leases count by the broker's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System { start: Instant, start_unix_us: Arc<AtomicU64> },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        let start_unix_us = Arc::new(AtomicU64::new(unix_us()));
        Clock { source: Source::System { start: Instant::now(), start_unix_us } }
    }

    /// A clock that stands still until [`Clock::advance_ms`] moves it, for tests.
    pub fn manual(unix_ms: u64) -> Clock {
        Clock { source: Source::Manual(Arc::new(AtomicU64::new(unix_ms * 1000))) }
    }

    /// Moves a manual clock forward; the machine's clock moves by itself.
    pub fn advance_ms(&self, by_ms: u64) {
        if let Source::Manual(now_us) = &self.source {
            now_us.fetch_add(by_ms * 1000, Ordering::SeqCst);
        }
    }

    /// Unix microseconds.
    #[inline]
    pub fn now_us(&self) -> u64 {
        match &self.source {
            Source::System { start, start_unix_us } => {
                start_unix_us.load(Ordering::Relaxed) + start.elapsed().as_micros() as u64
            }
            Source::Manual(now_us) => now_us.load(Ordering::SeqCst),
        }
    }

    /// Unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// Looks at the wall clock. Forward it is followed at once; backward it is not followed by less than a second,
    /// because such steps are the work of a time daemon that is slewing.
    pub(crate) fn sync(&self) {
        if let Source::System { start, start_unix_us } = &self.source {
            let wanted = unix_us().saturating_sub(start.elapsed().as_micros() as u64);
            let have = start_unix_us.load(Ordering::Relaxed);
            if wanted > have || have - wanted > 1_000_000 {
                start_unix_us.store(wanted, Ordering::Relaxed);
            }
        }
    }
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_the_wall_clock_and_a_manual_one_obeys() {
        let clock = Clock::system();
        clock.sync();
        assert!(clock.now_ms().abs_diff(unix_us() / 1000) < 50);
        let manual = Clock::manual(5);
        manual.clone().advance_ms(7);
        assert_eq!((manual.now_ms(), manual.now_us()), (12, 12_000));
    }
}
