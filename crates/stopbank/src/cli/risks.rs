//! The arguments of `risks`.

use crate::config::Length;
use clap::Args;
use std::path::PathBuf;

/// Where a fleet's risks are looked for.
#[derive(Debug, Args)]
pub(crate) struct Risks {
    /// Captures, of good days and bad ones: OTLP JSON lines or length-delimited protobuf, also `.zst` and `.gz`. Without one,
    /// topics are read.
    #[arg(conflicts_with_all = ["brokers", "topics", "duration", "from_beginning", "admin"])]
    pub(crate) files: Vec<PathBuf>,
    /// The configuration, for brokers, topics, encoding and identity; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Look at the live graph of a running stopbank instead: less is known there than from traces.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["brokers", "topics", "duration", "from_beginning"])]
    pub(crate) admin: Option<String>,
    /// Instead of the configuration's brokers.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Instead of the configuration's topics; may be given more than once.
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// How long topics are listened to.
    #[arg(long = "for", value_name = "DURATION", default_value = "5m")]
    pub(crate) duration: Length,
    /// Read what lies on the topics, from the oldest record to the newest, instead of listening.
    #[arg(long)]
    pub(crate) from_beginning: bool,
    /// End with code 4 if there is any risk that could cost more than so many requests a second.
    #[arg(long, value_name = "RPS")]
    pub(crate) fail_over: Option<f64>,
}
