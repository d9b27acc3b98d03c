//! The calls that a breaker looks at: the last so many, or those of the last so many milliseconds.

use super::BreakerWindow;
use std::collections::VecDeque;

/// Slots of a window of time.
const SLOTS: u64 = 10;

/// How healthy the calls of the window are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Calls that were counted.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that were slow.
    pub slow: u32,
}

impl Health {
    fn add(&mut self, other: Health) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn take(&mut self, other: Health) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// Slots of one call each, or of a tenth of the time each, with the time of each slot's first call, and their sum. So the
/// shape may change without losing what was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    slots: VecDeque<(u64, Health)>,
    sum: Health,
}

impl Window {
    pub(super) fn clear(&mut self) {
        *self = Window::default();
    }

    pub(super) fn record(&mut self, shape: BreakerWindow, call: Health, now_ms: u64) {
        match (shape, self.slots.back_mut()) {
            (BreakerWindow::Ms(window_ms), Some((since_ms, health))) if now_ms < *since_ms + slot_ms(window_ms) => {
                health.add(call);
            }
            _ => self.slots.push_back((now_ms, call)),
        }
        self.sum.add(call);
        self.forget(shape, now_ms);
    }

    pub(super) fn health(&mut self, shape: BreakerWindow, now_ms: u64) -> Health {
        self.forget(shape, now_ms);
        self.sum
    }

    /// The calls alone, oldest first: what the future depends on while only the last so many are looked at.
    #[cfg(test)]
    pub(super) fn calls(&self) -> Vec<Health> {
        self.slots.iter().map(|(_, health)| *health).collect()
    }

    fn forget(&mut self, shape: BreakerWindow, now_ms: u64) {
        while let Some((since_ms, health)) = self.slots.front().copied() {
            let stale = match shape {
                BreakerWindow::Calls(calls) => self.sum.calls - health.calls >= calls.max(1),
                BreakerWindow::Ms(window_ms) => now_ms.saturating_sub(since_ms) >= u64::from(window_ms),
            };
            if !stale {
                return;
            }
            self.slots.pop_front();
            self.sum.take(health);
        }
    }
}

fn slot_ms(window_ms: u32) -> u64 {
    (u64::from(window_ms) / SLOTS).max(1)
}
