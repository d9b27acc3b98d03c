//! `stopbank completions`.

use crate::cli::{Cli, Completions};
use crate::exit::Failure;
use clap::CommandFactory;

pub(super) fn run(arguments: &Completions) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "stopbank", &mut std::io::stdout());
    Ok(())
}
