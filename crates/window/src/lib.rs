//! Spans → calls → closed windows: pairing, watermarks, lateness, retries inferred.
//!
//! Integers only, no clock, no IO. What closes depends on the spans, the order inside each partition and the configuration;
//! never on how partitions interleave, how many shards there are, or the iteration order of a table.
//!
//! The way of a span: [`Watermarks::observe`] says whether it is on time on its own partition, a [`Shard`] (chosen by the
//! trace's hash) remembers it and counts it, [`Shard::close_until`] gives the shard's [`Part`] of every window that the
//! low watermark has passed, and the [`Merger`] makes one [`model::Window`] of the parts of all shards.

mod shard;

mod ahead;
mod config;
mod grace;
mod held;
mod lane;
mod merger;
mod names;
mod opens;
mod part;
mod rows;
mod settle;
mod store;
mod tick;
mod watermark;

pub use config::{Counting, Labels, Patience, ShardConfig};
pub use grace::{Grace, GraceChange};
pub use lane::Lane;
pub use merger::{Merger, MergerConfig};
pub use part::Part;
pub use shard::{Shard, ShardCounters};
pub use tick::SLICES;
pub use watermark::{Admit, PartitionId, WatermarkConfig, Watermarks};

#[cfg(test)]
mod tests;
