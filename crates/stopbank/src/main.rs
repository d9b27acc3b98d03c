//! The binary `stopbank`: configuration, wiring, signals, exit codes. No logic of its own.

mod bench;
mod capture;
mod cli;
mod commands;
mod config;
mod demo;
mod exit;
mod fleet;
mod keys;
mod logs;
mod print;
mod screen;
mod serve;
mod signals;
mod wiring;

use clap::Parser;
use std::process::ExitCode;

/// What shards make of a window the engine frees, thousands of small lists on another thread: glibc's heaps make them wait for
/// each other's locks, and give large batches back to the system only to ask for them again.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and version to stdout and everything else to stderr.
            let _ = error.print();
            return if error.use_stderr() { exit::usage_code() } else { ExitCode::SUCCESS };
        }
    };
    match commands::dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
