//! What is normal: adaptive thresholds per service and edge, capacity, demand and its forecast, calibrated confidence.
//!
//! Everything is online, bounded and robust: a baseline never learns while its subject is unhealthy, and says "not yet
//! known" instead of guessing. No clock (time is the windows' own), no randomness (jitter comes from hashes of names).

mod baseline;
mod calibrate;
mod capacity;
mod deviation;
mod forecast;
mod inherit;
mod inward;
mod join;
mod judge;
mod learner;
mod pool;
mod queue;
mod refusals;
mod reservoir;
mod signals;
#[cfg(test)]
mod tests;

pub use baseline::{Baseline, BaselineConfig, Health};
pub use calibrate::{Calibration, brier};
pub use capacity::{Capacity, CapacityConfig};
pub use deviation::{Deviation, Signal, Subject};
pub use forecast::{Demand, Forecast};
pub use learner::{LearnConfig, Learner};
pub use queue::{QueueDelay, QueueSource};
pub use refusals::Refusals;
pub use reservoir::Reservoir;
