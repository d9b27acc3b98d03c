//! Structured logs on stderr.

use crate::print::Format;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts logging; `filter` is a level or a filter (`info,kafka=debug`). Logs are JSON when results are.
pub(crate) fn start(filter: &str, format: Format) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = match format {
        Format::Json => builder.json().try_init(),
        Format::Text => builder.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
    };
    // A second start (tests) keeps the first subscriber.
    drop(started);
}
