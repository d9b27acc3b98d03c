//! The actors: thin shells around telemetry, window, engine and control, with Kafka at both ends.
//!
//! A [`Pipeline`] runs one generation of actors at a time; whatever dies ends the generation, and the next one is built on a
//! new claim from the acknowledged state. Data is pulled through bounded channels in batches; control goes by mailbox and
//! overtakes it. Nothing here branches on what the data means. [`Replay`] is the same core path without actors, for files.

mod actors;
mod batch;
mod budget;
mod capacity;
mod clock;
mod config;
mod draft;
mod election;
mod follower;
mod generation;
mod guarded;
mod journal;
mod keeper;
mod known;
mod ledger;
mod memo;
mod metrics;
mod mind;
mod news;
mod pinning;
mod pipeline;
mod relay;
mod replay;
mod scribe;
mod signals;
mod snapshot;
mod source;
mod state;
mod summary;
mod suspects;
mod tails;
#[cfg(feature = "testing")]
pub mod tripwire;
mod usage;

pub use budget::{Budget, EDGE_BYTES_MAX};
pub use config::{Beginning, Broker, Ending, PipelineConfig};
pub use journal::{JournalError, journal_inputs};
pub use metrics::ServiceGraph;
pub use pipeline::{Handle, OrderError, Pipeline, Remote, RuntimeError};
pub use relay::{Changes, Relay, Relayed};
pub use replay::{Replay, ReplayConfig, ReplayCounts, Replayed};
pub use snapshot::{SnapshotFlaw, newest_snapshot};
pub use state::{
    Autonomy, Counter, Counters, Event, Happened, Latencies, Latency, Latest, PartitionStatus, Phase, Progress, Pulse,
    Quantiles, Recovered, Ring, Role, Standing, State, Verdict,
};
pub use summary::{Ended, Summary};
pub use usage::Usage;
