//! How things stand, as a value that can be shown.

use crate::callee::StoppedCounts;
use crate::shared::Shared;
use admission::Boundary;
use model::{BreakerPhase, Criticality, LEVELS, Setting};
use serde::Serialize;

/// The state of a guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// The service.
    pub service: String,
    /// The instance.
    pub instance: String,
    /// Is something commanded, or on its way back to normal?
    pub commanded: bool,
    /// The lowest class that is admitted, and how much of it, in 1/1000.
    pub admits: (Criticality, u16),
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that may be in flight, by class, lowest first; `4294967295` is no limit.
    pub in_flight_max: [u32; LEVELS],
    /// Requests waiting.
    pub queued: u32,
    /// How long the oldest has waited, milliseconds.
    pub queue_delay_ms: u64,
    /// The queue's bound, milliseconds of work.
    pub queue_bound_ms: u32,
    /// The degradation level; 0 is everything on.
    pub kill_level: u8,
    /// The share of its usual traffic that this instance is to be given, in 1/1000: below 1000 its answers go wrong where its
    /// peers' do not. For a readiness probe or a balancer's weight.
    pub takes_permille: u16,
    /// Has the control topic's state at the start been read?
    pub caught_up: bool,
    /// How long ago the other side was heard last, milliseconds; nothing if never.
    pub heard_ago_ms: Option<u64>,
    /// How old the newest command is, by the broker's time, milliseconds.
    pub orders_age_ms: Option<u64>,
    /// What is in force.
    pub orders: Vec<OrderHealth>,
    /// Records that were dropped, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// How long it took from the last record to the table that obeys it, microseconds.
    pub applied_us: u64,
    /// Breakers and budgets towards callees.
    pub callees: Vec<BreakerHealth>,
}

/// A command in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderHealth {
    /// The command's id.
    pub id: String,
    /// What it acts on.
    pub target: String,
    /// The value after the owner's clamps.
    pub setting: Setting,
    /// When its lease ends, milliseconds from now.
    pub ends_in_ms: u64,
    /// The owner's clamp that beat it, if one did.
    pub overridden_by: Option<String>,
}

/// A callee.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakerHealth {
    /// Its name.
    pub callee: String,
    /// The breaker's phase.
    pub phase: BreakerPhase,
    /// Why it is not closed.
    pub reason: Option<String>,
    /// Calls in the breaker's window.
    pub calls: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were slow.
    pub slow: u32,
    /// Openings since the last full recovery.
    pub openings: u32,
    /// The retry budget in force, in 1/1000 of first attempts.
    pub retry_ratio_permille: u16,
    /// Retries refused since the start.
    pub retries_refused: u64,
    /// Tries since the start that were not made, by reason.
    pub stopped: StoppedCounts,
    /// The timeout of one try in force, milliseconds.
    pub timeout_ms: u32,
}

impl Shared {
    pub(crate) fn health(&self) -> Health {
        let now_ms = self.clock.now_ms();
        let table = self.table.load_full();
        let callees = self.callees.all().iter().map(callee).collect();
        let control = self.control();
        let ago = |at_ms: u64| now_ms.saturating_sub(at_ms);
        let orders = control.in_force.iter().map(|force| OrderHealth {
            id: force.id.0.clone(),
            target: force.target.to_string(),
            setting: force.setting,
            ends_in_ms: force.expires_ms.saturating_sub(now_ms),
            overridden_by: force.overridden_by.clone(),
        });
        let Boundary { lowest, fraction_permille } = table.service;
        Health {
            service: self.settings.service.clone(),
            instance: self.settings.instance.clone(),
            commanded: control.is_commanded(),
            admits: (lowest, fraction_permille),
            in_flight: self.counts.in_flight(),
            in_flight_max: table.in_flight_max,
            queued: self.gate.queued(),
            queue_delay_ms: self.gate.delay_ms(now_ms),
            queue_bound_ms: table.queue_bound_ms,
            kill_level: table.kill_level,
            takes_permille: table.takes_permille,
            caught_up: control.caught_up,
            heard_ago_ms: control.heard_ms.map(ago),
            orders_age_ms: control.subscriber.latest_ms().map(ago),
            orders: orders.collect(),
            dropped: control.subscriber.counters().dropped.iter().map(|(why, count)| (why.as_str(), *count)).collect(),
            applied_us: control.applied_us.0,
            callees,
        }
    }
}

fn callee(callee: &crate::Callee) -> BreakerHealth {
    let state = callee.state();
    BreakerHealth {
        callee: callee.name().to_owned(),
        phase: state.phase,
        reason: state.reason.map(|reason| reason.to_string()),
        calls: state.health.calls,
        failed: state.health.failed,
        slow: state.health.slow,
        openings: state.openings,
        retry_ratio_permille: state.retry_ratio_permille,
        retries_refused: state.retries_refused,
        stopped: state.stopped,
        timeout_ms: state.timeout_ms,
    }
}
