//! Scenario files: what they say is checked, documented by a schema, and true of the simulated fleet.
#![allow(clippy::disallowed_methods)] // a test reads files and computes what it expects as it likes
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod format;
mod kinds;
mod payments;
mod schema;

use std::path::PathBuf;

/// A path from the root of the repository.
fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(of)
}
