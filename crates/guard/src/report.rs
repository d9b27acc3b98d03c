//! What the guard says of its service: the report of each second.

use crate::control::Second;
use crate::shared::Shared;
use model::{GuardReport, Knob, LEVELS};

/// The knobs that a guard has.
pub const KNOBS: [Knob; 10] = [
    Knob::Admission,
    Knob::QueueBound,
    Knob::RetryBudget,
    Knob::Timeout,
    Knob::Concurrency,
    Knob::Breaker,
    Knob::BreakerThreshold,
    Knob::KillSwitch,
    Knob::Purge,
    Knob::Route,
];

impl Shared {
    /// The report of the time since the last one.
    pub(crate) fn report(&self) -> GuardReport {
        let now_ms = self.clock.now_ms();
        let mut control = self.control();
        let retries_refused = self.callees.retries_refused();
        let fresh = Second { retries_refused_before: retries_refused, ..Second::default() };
        let Second { tallies, expired, retries_refused_before } = std::mem::replace(&mut control.second, fresh);
        GuardReport {
            service: self.settings.service.clone(),
            instance: self.settings.instance.clone(),
            at_ms: now_ms,
            queued: self.gate.queued(),
            queue_delay_ms: u32::try_from(self.gate.delay_ms(now_ms)).unwrap_or(u32::MAX),
            in_flight: self.counts.in_flight(),
            workers: self.table.load().in_flight_max[LEVELS - 1],
            admitted: tallies.admitted,
            shed: tallies.refused,
            completed: tallies.completed,
            expired,
            retries_refused: (retries_refused - retries_refused_before) as u32,
            breakers: self.callees.reports(),
            knobs: KNOBS.iter().copied().filter(|knob| self.has(*knob)).collect(),
            obeyed: control.subscriber.obeyed(now_ms),
        }
    }

    /// Is the knob offered? Not what the owner refuses, nor what nobody would follow.
    fn has(&self, knob: Knob) -> bool {
        let followed = knob != Knob::Route || self.settings.server.balanced;
        followed && !self.settings.clamps.refused.contains(&knob)
    }
}
