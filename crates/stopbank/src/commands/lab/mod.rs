//! `stopbank lab`: policies on a simulated fleet.

mod board;
mod lenses;
mod one;
mod suite;

use crate::cli::{Lab, LabCommand};
use crate::exit::Failure;
use crate::print::Format;
use lab::Scenario;
use std::path::Path;

pub(super) fn run(arguments: &Lab, format: Format) -> Result<(), Failure> {
    match &arguments.what {
        LabCommand::Run(arguments) => one::run(arguments, format),
        LabCommand::Suite(arguments) => suite::run(arguments, format),
        LabCommand::Lenses(arguments) => lenses::run(arguments, format),
    }
}

/// The scenario of that name, or in that file.
fn scenario(name: &str) -> Result<Scenario, Failure> {
    match lab::scenario::builtin(name) {
        Some(scenario) => Ok(scenario),
        None => from_file(Path::new(name)),
    }
}

fn from_file(path: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let known = lab::scenario::names().collect::<Vec<_>>().join(", ");
        Failure::usage(format!("{}: {error}; scenarios that come with the program: {known}", path.display()))
    })?;
    Scenario::from_toml(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Writes a file.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::job(format!("{}: {error}", path.display())))
}
