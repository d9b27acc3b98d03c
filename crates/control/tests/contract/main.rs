//! The contract as strangers see it: `schemas/` is what the code does, byte for byte.
//!
//! After a deliberate change: `UPDATE_SCHEMAS=1 cargo test -p control --test contract`, then read the difference.
#![allow(clippy::disallowed_methods)] // a test reads files and computes what it expects as it likes
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod asyncapi;
mod drift;
mod golden;
mod sample;
mod scenario;

use std::path::PathBuf;

/// A path in `schemas/`.
fn schemas_dir(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(file)
}

/// Compares a file of `schemas/` with what the code makes of it, or writes it when asked to.
fn check_file(file: &str, wanted: &[u8]) {
    let path = schemas_dir(file);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, wanted).expect("schemas/ is writable");
    }
    let found = std::fs::read(&path).unwrap_or_default();
    let same = found == wanted;
    assert!(same, "schemas/{file} is not what the code makes; UPDATE_SCHEMAS=1 writes it anew");
}
