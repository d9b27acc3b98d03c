//! The calls that a breaker looks at: the last so many, or those of the last so many milliseconds.

use super::BreakerWindow;
use std::collections::VecDeque;

const BUCKETS: u64 = 10;

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

/// Slots of one call each, or of a tenth of the time each, with their sum.
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
        match shape {
            BreakerWindow::Calls { .. } => self.slots.push_back((0, call)),
            BreakerWindow::Time { window_ms } => {
                let slot = now_ms / slot_ms(window_ms);
                match self.slots.back_mut() {
                    Some((last, health)) if *last >= slot => health.add(call),
                    _ => self.slots.push_back((slot, call)),
                }
            }
        }
        self.sum.add(call);
        self.forget(shape, now_ms);
    }

    pub(super) fn health(&mut self, shape: BreakerWindow, now_ms: u64) -> Health {
        self.forget(shape, now_ms);
        self.sum
    }

    fn forget(&mut self, shape: BreakerWindow, now_ms: u64) {
        loop {
            let stale = match shape {
                BreakerWindow::Calls { calls } => self.slots.len() > calls.max(1) as usize,
                BreakerWindow::Time { window_ms } => {
                    let oldest = (now_ms / slot_ms(window_ms)).saturating_sub(BUCKETS - 1);
                    self.slots.front().is_some_and(|(slot, _)| *slot < oldest)
                }
            };
            if !stale {
                return;
            }
            let Some((_, gone)) = self.slots.pop_front() else { return };
            self.sum.take(gone);
        }
    }
}

fn slot_ms(window_ms: u32) -> u64 {
    (u64::from(window_ms) / BUCKETS).max(1)
}
