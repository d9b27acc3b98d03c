//! The arguments of `bench`.

use crate::config::Length;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchMix {
    /// 64 services, spans of 480 bytes, up to 100 in a record.
    Plain,
    /// 2,000 services, 10,000 edges with skew, spans of 2 KB, a retry storm in progress.
    Hard,
    /// One after the other.
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Measure on this cluster, in topics of its own that go at the end; without it on the embedded broker.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// What the load looks like.
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) mix: BenchMix,
    /// How long each trial of a rate lasts; the steady load lasts three times as long.
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) window: Length,
    /// How many rates are tried.
    #[arg(long, default_value_t = 5)]
    pub(crate) trials: u32,
    /// Spans of the backlog that is read back, and of the replay.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) spans: u64,
    /// The pipeline's `runtime.memory_mib`: spans of a window and its grace must fit, some 460 bytes each.
    #[arg(long, default_value_t = 1024)]
    pub(crate) memory_mib: usize,
    /// Compare with a run that was saved with `--format json > FILE`.
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// Measure nothing: compare with this saved run instead.
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub(crate) with: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchLoad {
    /// Which mix.
    #[arg(long)]
    pub(crate) mix: String,
    /// The prefix of the topics.
    #[arg(long)]
    pub(crate) prefix: String,
    /// The cluster; without it an embedded broker is started.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
}
