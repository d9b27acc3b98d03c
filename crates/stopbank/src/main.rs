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
