//! In which order knobs are turned, and in which order they are let go.

use model::Knob;
use serde::{Deserialize, Serialize};

/// The place of a knob when commands go out: what ends the loop first, less demand second.
pub fn sending(knob: Knob) -> u8 {
    match knob {
        Knob::QueueBound => 0,
        Knob::Purge => 1,
        Knob::RetryBudget => 2,
        Knob::Admission => 3,
        _ => 4,
    }
}

/// The stages of recovery, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Demand comes back, step by step, while bounds and budgets still hold.
    Admit,
    /// Retries come back once the queue has drained.
    Retry,
    /// Bounds go last: without them a second cascade would have nothing to run against.
    Unbound,
}

/// The stage in which a knob is let go.
pub fn stage(knob: Knob) -> Stage {
    match knob {
        Knob::Admission
        | Knob::Route
        | Knob::Concurrency
        | Knob::Breaker
        | Knob::BreakerThreshold
        | Knob::KillSwitch => Stage::Admit,
        Knob::RetryBudget | Knob::Timeout => Stage::Retry,
        _ => Stage::Unbound,
    }
}
