//! Where output goes: results to stdout, as text or as JSON lines; progress to stderr, only on a terminal.

use serde::Serialize;
use std::io::{IsTerminal, Write, stderr, stdout};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One JSON object on a line of its own, written at once.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn json(value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value).map_err(std::io::Error::other)?;
    line.push(b'\n');
    let mut out = stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// A line for people.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn line(text: &str) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Shows how far a long job is, on a terminal only.
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub(crate) fn new() -> Progress {
        Progress { shown: stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(crate) fn show(&self, text: &str) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[2K{text}");
        }
    }

    /// Removes the line.
    pub(crate) fn clear(&self) {
        self.show("");
    }
}
