//! A real fleet: eight services and their clients as processes of this one binary, over HTTP, with real pools, queues,
//! timeouts and retries, and OpenTelemetry spans on a real Kafka. A slow database brings it down; `compare` shows what
//! becomes of it without stopbank, with it, and with a stopbank that is killed half-way. See `README.md`.
#![forbid(unsafe_code)]

mod caller;
mod children;
mod compare;
mod load;
mod node;
mod observer;
mod plan;
mod run;
mod scenario;
mod spans;
mod verdict;

use clap::{Parser, Subcommand};
use std::io::{Read, Write, stderr, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A real fleet that a slow database brings down, with and without stopbank.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the story in each arm and print the comparison.
    Compare(compare::Compare),
    /// Print a plan as a scenario of the lab: `stopbank lab run` plays the same fleet in virtual time.
    Scenario(scenario::Arguments),
    /// Be one service of a plan.
    Serve {
        /// The plan's file.
        #[arg(long)]
        plan: PathBuf,
        /// End when the standard input closes.
        #[arg(long)]
        attached: bool,
        /// The service.
        name: String,
    },
    /// Be the clients of a plan.
    Load {
        /// The plan's file.
        #[arg(long)]
        plan: PathBuf,
        /// End when the standard input closes.
        #[arg(long)]
        attached: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Scenario(arguments) => scenario::run(&arguments).and_then(|text| compare::say(&text)),
        Command::Serve { plan, attached, name } => {
            on_runtime(&plan, attached, |plan| async move { node::serve(plan, &name).await })
        }
        Command::Load { plan, attached } => on_runtime(&plan, attached, load::run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(stderr(), "fleet: {why}");
            ExitCode::FAILURE
        }
    }
}

fn on_runtime<F: Future<Output = Result<(), String>>>(
    path: &Path,
    attached: bool,
    run: impl FnOnce(plan::Plan) -> F,
) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let plan = plan::Plan::read(&text)?;
    if attached {
        // Whoever started this process cannot leave it behind.
        std::thread::spawn(|| {
            let _ = stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(run(plan))
}
