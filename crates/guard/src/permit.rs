//! A place in flight, held while a request is worked on.

use crate::shared::Shared;
use model::LEVELS;
use std::ops::Deref;
use std::sync::Arc;

/// A request that was let in. It gives its place back when it is dropped; tell how the work ended with
/// [`Permit::succeed`] or [`Permit::fail`], because the adaptive limit learns from the latency of successes only.
#[derive(Debug)]
#[must_use = "the place is given back when the permit is dropped"]
pub struct Permit<'g> {
    shared: Held<'g>,
    cost: u32,
    entered_us: u64,
    waited_ms: u32,
}

/// A borrowed guard costs nothing; a shared one moves a counter that all cores write.
#[derive(Debug)]
pub(crate) enum Held<'g> {
    Borrowed(&'g Shared),
    Owned(Arc<Shared>),
}

impl Deref for Held<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        match self {
            Held::Borrowed(shared) => shared,
            Held::Owned(shared) => shared,
        }
    }
}

impl<'g> Permit<'g> {
    pub(crate) fn new(shared: Held<'g>, cost: u32, entered_us: u64, waited_ms: u32) -> Permit<'g> {
        Permit { shared, cost, entered_us, waited_ms }
    }

    /// How long the request waited in the guard's queue, milliseconds.
    pub fn waited_ms(&self) -> u32 {
        self.waited_ms
    }

    /// How much of what may be in flight is, in 1/1000, this request included; nothing where there is no limit. For the
    /// header `stopbank-load` of an answer.
    pub fn load_permille(&self) -> Option<u16> {
        let limit = self.shared.table.load().in_flight_max[LEVELS - 1];
        let in_flight = u64::from(self.shared.counts.glance()) + u64::from(self.shared.gate.queued());
        (limit != u32::MAX).then(|| (in_flight * 1000 / u64::from(limit.max(1))).min(2000) as u16)
    }

    /// The work was done.
    pub fn succeed(self) {
        let took_us = self.shared.clock.now_us().saturating_sub(self.entered_us);
        self.shared.counts.completed(took_us);
    }

    /// The work failed: its duration says nothing of how long work takes.
    pub fn fail(self) {}
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.cost);
    }
}
