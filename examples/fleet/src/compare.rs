//! `fleet compare`: the story in each arm, and the comparison.

use crate::children;
use crate::plan::{BUILT_IN, Collector, Plan};
use crate::run::{self, Arm, Stage};
use crate::verdict::{self, Verdict};
use serde_json::json;
use std::io::{Write, stdout};
use std::path::PathBuf;

/// What can be said about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// Only these arms.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Arm::Without, Arm::With, Arm::Killed])]
    pub(crate) arms: Vec<Arm>,
    /// Another plan than the built-in one.
    #[arg(long)]
    pub(crate) plan: Option<PathBuf>,
    /// A Kafka that runs already; without it one is started through `scripts/kafka`.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// The program; without it the one beside this, built if need be.
    #[arg(long)]
    pub(crate) stopbank: Option<PathBuf>,
    /// Send the spans to this Collector (OTLP over HTTP, for example http://localhost:4318), which writes them to the telemetry
    /// topic; without it they are written there directly.
    #[arg(long, value_name = "URL")]
    pub(crate) collector: Option<String>,
    /// The topic that the Collector writes to; it is made if it is not there.
    #[arg(long, value_name = "TOPIC", default_value = "otlp_spans", requires = "collector")]
    pub(crate) collector_topic: String,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it.
///
/// # Errors
/// When a part of the fleet cannot be started.
pub(crate) fn run(arguments: &Compare) -> Result<(), String> {
    let text = match &arguments.plan {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => BUILT_IN.to_owned(),
    };
    let plan = Plan::read(&text)?;
    let folder = Folder::make()?;
    let stopbank = arguments.stopbank.clone().map_or_else(children::stopbank, Ok)?;
    let (_broker, brokers) = match &arguments.brokers {
        Some(brokers) => (None, brokers.clone()),
        None => children::kafka().map(|(broker, brokers)| (Some(broker), brokers))?,
    };
    let topic = arguments.collector_topic.clone();
    let collector = arguments.collector.clone().map(|url| Collector { url, topic });
    let stage = Stage { brokers, stopbank, collector, folder: folder.0.clone() };
    if !arguments.json {
        say(&format!(
            "{} services, {:.0} requests/s, the database slow for {} s. Each arm takes {} s.",
            plan.service.len(),
            plan.offered_rps(),
            plan.story.slow_for_s,
            plan.story.slow_at_s + plan.story.slow_for_s + plan.story.watch_s
        ))?;
        say(&verdict::head())?;
    }
    for arm in &arguments.arms {
        let story = run::run(*arm, &plan, &stage)?;
        let verdict = Verdict::of(*arm, &story, &plan.story);
        if arguments.json {
            say(&json!({"type": "arm", "verdict": verdict, "story": story}).to_string())?;
        } else {
            say(&verdict.told())?;
        }
    }
    Ok(())
}

/// A line for whoever started this.
pub(crate) fn say(line: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

/// A folder that goes with us.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("stopbank-fleet-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
