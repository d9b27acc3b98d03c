//! The one model of a fleet: services with workers and queues, callers with timeouts and retries, clients, faults.
//!
//! A discrete-event simulation in virtual time. `demo` paces it to the wall clock, `generate` writes its spans, the lab
//! runs the engine against it. It never reads a clock and never draws unseeded randomness: the same topology, seed and
//! commands give the same bytes.
//!
//! - [`Topology`]: what a fleet is, read from TOML; [`builtin`] holds the ones that come with the program.
//! - [`Scenario`]: a topology that says what counts as success; [`scenario::builtin`] holds the ones that come with it.
//! - [`World`]: the fleet in motion; spans, guard reports and tallies out, commands in.
//! - [`generate::Generator`]: a stream of OTLP records at a wanted rate.
//! - [`lens::Lens`]: the same fleet's telemetry behind a mesh, a sampler, wrong clocks; [`lens::look`] measures through all.
//! - [`tunnel::fly`]: a world in closed loop with whoever steers it, the real pipeline among them.

pub mod generate;
pub mod lens;
mod mix;
pub mod report;
pub mod rival;
pub mod scenario;
pub mod score;
pub mod topology;
pub mod tunnel;
mod world;

pub use lens::Lens;
pub use mix::Mix;
pub use rival::Policy;
pub use scenario::Scenario;
pub use topology::{Topology, TopologyError, builtin, builtin_names, builtin_toml};
pub use world::{Export, Second, World, WorldConfig};
