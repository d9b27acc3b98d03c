//! What a service protects itself with: priority admission, a bounded queue, purge, a retry budget, a circuit breaker, a
//! concurrency limit, a client's throttle and kill-switch levels, each a small state machine in a file of its own.
//!
//! Time and random numbers are arguments; nothing here reads a clock, does IO or waits. [`decide`] reads an immutable
//! [`Table`] and may run on many threads without a lock; [`step`] makes the next table from what the threads counted.
//! Commands arrive as [`model::Setting`] values; who may give them is not asked here.
#![forbid(unsafe_code)]

mod backoff;
mod breaker;
mod concurrency;
mod config;
mod decision;
mod kill_switch;
mod lever;
mod priority;
mod queue;
mod retry_budget;
mod state;
mod table;
mod throttle;

pub use backoff::Backoff;
pub use breaker::{
    Breaker, BreakerConfig, BreakerMode, BreakerWindow, CallEnd, Health, OpenReason, Permit, Ticket, Turn,
};
pub use concurrency::{ConcurrencyLimit, GradientConfig, Sample};
pub use config::{Config, LimitKind};
pub use decision::{Decision, Load, Reason, Request, Retry};
pub use kill_switch::KillSwitch;
pub use lever::{Lever, Ramp};
pub use priority::{Boundary, COHORTS, period};
pub use queue::{Dropped, Entry, QueueOrder, QueuePolicy};
pub use retry_budget::{RetryBudget, RetryVerdict};
pub use state::{Commanded, State, Tallies, step};
pub use table::{Table, decide};
pub use throttle::{Throttle, ThrottleConfig};
