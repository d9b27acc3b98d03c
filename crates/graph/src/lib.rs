//! The live dependency graph: which service calls which, how often, how well, and on behalf of which requests.
//!
//! It is fed with closed windows and forgets what goes silent. Everything in it is bounded and keyed by stable hashes of
//! names in sorted maps, so the same windows give the same graph bit for bit. It never judges: what is normal is learned
//! elsewhere, what is dangerous is detected elsewhere. No IO, no clock (time is the windows' own).

mod bounded;
mod edge;
mod flow;
mod gain;
mod inward;
mod kin;
mod latency;
mod live;
mod names;
mod operations;
mod service;
mod step;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use edge::{Edge, EdgeRates};
pub use flow::{Flow, FlowUse};
pub use gain::{LoopGain, loop_gain};
pub use latency::Latency;
pub use live::{Graph, GraphConfig};
pub use operations::{Operation, OperationPair, Operations};
pub use service::{Service, ServiceRates};
