//! One file per command; each turns its arguments into a call and its result into lines.

mod bench;
mod completions;
mod demo;
mod doctor;
mod fleet;
mod generate;
mod hand;
mod init;
mod keygen;
mod lab;
mod rank;
mod replay;
mod risks;
mod run;
mod schema;
mod tap;
mod topics;
mod validate;

use crate::cli::{Cli, Command};
use crate::config::{self, Config};
use crate::exit::Failure;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// With the exit code and what to tell.
pub(crate) fn dispatch(cli: Cli) -> Result<(), Failure> {
    let format = cli.format;
    match cli.command {
        Command::Init(arguments) => init::run(&arguments, format),
        Command::Validate(arguments) => validate::run(&arguments, format),
        Command::Demo(arguments) => demo::run(&arguments, format),
        Command::Run(arguments) => run::run(&arguments, format),
        Command::Replay(arguments) => replay::run(&arguments, format),
        Command::Lab(arguments) => lab::run(&arguments, format),
        Command::Doctor(arguments) => doctor::run(&arguments, format),
        Command::Risks(arguments) => risks::run(&arguments, format),
        Command::Rank(arguments) => rank::run(&arguments, format),
        Command::Fleet(arguments) => fleet::run(&arguments, format),
        Command::Bench(arguments) => bench::run(&arguments, format),
        Command::BenchLoad(arguments) => crate::bench::serve(&arguments),
        Command::Generate(arguments) => generate::run(&arguments, format),
        Command::Keygen(arguments) => keygen::run(&arguments, format),
        Command::Shed(arguments) => hand::shed(&arguments, format),
        Command::Release(arguments) => hand::release(&arguments, format),
        Command::Disarm(arguments) => hand::disarm(&arguments, format),
        Command::Arm(arguments) => hand::arm(&arguments, format),
        Command::Approve(arguments) => hand::approve(&arguments, format),
        Command::Refuse(arguments) => hand::refuse(&arguments, format),
        Command::Tap(arguments) => tap::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// The configuration from `path` and the environment, or from the environment alone.
fn configuration(path: Option<&Path>) -> Result<Config, Failure> {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    Ok(match path {
        Some(path) => config::from_file(path, &variables)?,
        None => config::from_environment(&variables)?,
    })
}

/// What a Kafka error means for the exit code.
fn kafka_failure(error: kafka::Error) -> Failure {
    match error {
        kafka::Error::Property { .. } => Failure::usage(error),
        kafka::Error::Unreachable { .. } | kafka::Error::Login { .. } => Failure::unreachable(error),
        _ => Failure::job(error),
    }
}
