//! The arguments of `lab`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    pub(crate) what: LabCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Run one scenario with one seed and show what happened.
    Run(LabRun),
    /// Run all scenarios of a folder under all policies with many seeds, on all cores.
    Suite(LabSuite),
    /// See one fleet through every lens (a mesh, samplers, wrong clocks, …) and compare what is made of it.
    Lenses(LabLenses),
}

#[derive(Debug, Args)]
pub(crate) struct LabRun {
    /// A scenario file, or the name of one that comes with the program.
    pub(crate) scenario: String,
    /// Who looks after the fleet; several, with commas, are compared.
    #[arg(long, value_delimiter = ',', value_parser = policy, default_value = "stopbank")]
    pub(crate) policy: Vec<::lab::Policy>,
    /// Traffic, service times and losses follow from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the story as one HTML page that opens without a network.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LabSuite {
    /// A folder of scenario files; without it those that come with the program.
    pub(crate) dir: Option<PathBuf>,
    /// Who is compared, with commas; without it everybody.
    #[arg(long, value_delimiter = ',', value_parser = policy)]
    pub(crate) policies: Vec<::lab::Policy>,
    /// How many seeds, from 1.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// How many threads; without it one for each core.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Write an HTML page with all tables and curves.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Write the scoreboard as FILE.md, and FILE.json behind it.
    #[arg(long, value_name = "FILE")]
    pub(crate) scoreboard: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LabLenses {
    /// A topology file with a fault in it, or the name of a built-in one.
    #[arg(long, default_value = "shop")]
    pub(crate) topology: String,
    /// Which lenses, with commas; without it all. The plain one is always among them.
    #[arg(long, value_delimiter = ',', value_parser = lens)]
    pub(crate) lenses: Vec<::lab::Lens>,
    /// How many seeds, from 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// So many times the load and the workers: one trace in a hundred tells more of a larger fleet.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// Write the table between the marks of this page.
    #[arg(long, value_name = "FILE.md")]
    pub(crate) page: Option<PathBuf>,
}

fn policy(text: &str) -> Result<::lab::Policy, String> {
    let known = || ::lab::Policy::all().map(::lab::Policy::as_str).collect::<Vec<_>>().join(", ");
    ::lab::Policy::parse(text).ok_or_else(|| format!("write one of {}", known()))
}

/// A lens by its name.
pub(super) fn lens(text: &str) -> Result<::lab::Lens, String> {
    let known = || ::lab::Lens::ALL.map(::lab::Lens::as_str).join(", ");
    ::lab::Lens::parse(text).ok_or_else(|| format!("write one of {}", known()))
}
