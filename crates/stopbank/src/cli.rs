//! What can be typed.

mod bench;
mod doctor;
mod lab;
mod risks;

pub(crate) use bench::{Bench, BenchLoad, BenchMix};
pub(crate) use doctor::Doctor;
pub(crate) use lab::{Lab, LabCommand, LabLenses, LabRun, LabSuite};
pub(crate) use risks::Risks;

use crate::config::Length;
use crate::print::Format;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::{Criticality, Knob, Target};
use std::path::PathBuf;

/// Stops cascading failures in fleets of services.
///
/// Reads telemetry from Kafka, keeps a live dependency graph, learns what is normal, sees a cascade while it forms, and
/// writes leased, signed commands to a control topic. It only observes until it is told to act.
#[derive(Debug, Parser)]
#[command(
    name = "stopbank",
    version,
    max_term_width = 110,
    after_help = "First steps:\n  stopbank demo                     see it work, nothing else needed\n  stopbank init                     write \
                  a commented stopbank.toml\n  stopbank validate --connect       check it against the brokers\n  stopbank run \
                  --config stopbank.toml\n\nExit codes: 0 done, 1 the job failed, 2 wrong usage or configuration, 3 Kafka unreachable,\n4 graded worse than asked for (doctor), 130 stopped by force"
)]
pub(crate) struct Cli {
    /// How results are printed.
    #[arg(long, global = true, env = "STOPBANK_FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole thing on this machine: a fleet that collapses, and is brought back.
    Demo(Demo),
    /// Watch real topics, and act as far as the configuration allows.
    Run(Run),
    /// Write a commented configuration.
    Init(Init),
    /// Check a configuration, and with --connect the brokers.
    Validate(Validate),
    /// Write realistic spans to a topic or a file.
    Generate(Generate),
    /// Measure how much this machine can take, and what it costs.
    Bench(Bench),
    /// The load of `bench`, in a process of its own.
    #[command(hide = true)]
    BenchLoad(BenchLoad),
    /// Run the demo's fleet alone, against a given Kafka.
    Fleet(Fleet),
    /// Run captures through the same core, as fast as it can.
    Replay(Replay),
    /// Try policies on a simulated fleet: faults, rivals, scores, in virtual time.
    Lab(Lab),
    /// Say what can be seen in a fleet's telemetry, what cannot, and what mends it.
    Doctor(Doctor),
    /// Say what would bring the fleet down that has not yet.
    Risks(Risks),
    /// Rank the likely origins of what began at a given time in a capture.
    Rank(Rank),
    /// Refuse the least important requests of a service by hand, after showing who would be hit.
    Shed(Shed),
    /// Let go of what is in force, by hand or by the engine.
    Release(Release),
    /// Stop the engine: release everything at once, step by step, or freeze it.
    Disarm(Disarm),
    /// Let the engine command again, as far as its mode allows.
    Arm(Arm),
    /// Carry out a proposed command.
    Approve(Verdict),
    /// Release a command, or drop a proposal, for the rest of its incident.
    Refuse(Verdict),
    /// Print the records of one of stopbank's topics as JSON lines.
    Tap(Tap),
    /// Make a key pair for signing.
    Keygen(Keygen),
    /// Print the JSON Schemas of everything that goes over a topic.
    Schema(Schema),
    /// Print a completion script.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Ignore the commands: the same fleet, the same seed, and nobody to help it.
    #[arg(long)]
    pub(crate) without: bool,
    /// The seed of traffic and faults.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Run on after the scenario until stopped.
    #[arg(long)]
    pub(crate) forever: bool,
    /// Serve the admin pages here while the demo runs.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) admin: String,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// End with code 0 when nothing new came for this long, after draining.
    #[arg(long, value_name = "DURATION")]
    pub(crate) until_idle: Option<Length>,
    /// Print the effective configuration, secrets hidden, and end.
    #[arg(long)]
    pub(crate) dump_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write it.
    #[arg(default_value = "stopbank.toml")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The configuration; without it the environment alone is checked.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Also connect: brokers, credentials, topics.
    #[arg(long)]
    pub(crate) connect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpanEncoding {
    /// OTLP protobuf, the Collector's default.
    #[value(name = "otlp_proto")]
    OtlpProto,
    /// OTLP JSON.
    #[value(name = "otlp_json")]
    OtlpJson,
}

/// Spans per second, or as many as can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    Max,
    PerSecond(f64),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("where").required(true).args(["brokers", "out"]))]
pub(crate) struct Generate {
    /// A topology file, or the name of a built-in one (shop).
    #[arg(long, default_value = "shop")]
    pub(crate) topology: String,
    /// Spans per second, or `max`.
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Rate,
    /// For how long.
    #[arg(long = "for", value_name = "DURATION", required_unless_present = "spans")]
    pub(crate) duration: Option<Length>,
    /// How many spans.
    #[arg(long)]
    pub(crate) spans: Option<u64>,
    /// The same seed gives the same spans.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write to this cluster.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Write to this topic.
    #[arg(long, default_value = "otlp_spans")]
    pub(crate) topic: String,
    /// Write to this file instead; `.zst` and `.gz` are compressed.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// How spans are encoded.
    #[arg(long, value_enum, default_value = "otlp_proto")]
    pub(crate) encoding: SpanEncoding,
    /// Through which lens: plain, mesh, head-sampled, tail-sampled, error-biased, late, skewed, duplicated, missing-servers,
    /// messages, renamed or exploding-names (docs/telemetry.md).
    #[arg(long, value_parser = lab::lens, default_value = "plain")]
    pub(crate) lens: ::lab::Lens,
    /// Any librdkafka property, as key=value.
    #[arg(long = "property", short = 'X', value_name = "KEY=VALUE")]
    pub(crate) properties: Vec<String>,
    /// The time of the first span, Unix seconds; the default is now for a topic and a fixed instant for a file.
    #[arg(long, value_name = "UNIX_S")]
    pub(crate) start: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Fleet {
    /// A topology file, or the name of a built-in one (shop).
    #[arg(long, default_value = "shop")]
    pub(crate) topology: String,
    /// The configuration; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Instead of the configuration's brokers.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Send the spans to this Collector (OTLP over HTTP) instead of the telemetry topic.
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
    /// Obey commands signed by a key in this file; without it commands are ignored.
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// The seed of traffic and faults.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Stop after this long; without it, at Ctrl-C.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) duration: Option<Length>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Captures: OTLP JSON lines or length-delimited protobuf, also `.zst` and `.gz`.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Learn what is normal from this healthy capture first.
    #[arg(long)]
    pub(crate) baseline: Vec<PathBuf>,
    /// The configuration whose engine settings apply.
    #[arg(long, short)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("when").required(true).args(["at", "labels"]))]
pub(crate) struct Rank {
    /// Captures of the incident.
    pub(crate) files: Vec<PathBuf>,
    /// The onset: RFC 3339 or Unix seconds. What lies before it is normal, the rest is the incident.
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// Captures of normal operation.
    #[arg(long)]
    pub(crate) baseline: Vec<PathBuf>,
    /// Rank every capture that this labels.json names (beside it), a line each.
    #[arg(long, conflicts_with = "files")]
    pub(crate) labels: Option<PathBuf>,
}

/// What every order of a person needs.
#[derive(Debug, Args)]
pub(crate) struct ByHand {
    /// The configuration; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Instead of the configuration's brokers.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Instead of the configuration's admin address.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<String>,
    /// Sign with this private key (`stopbank keygen --role operator`) and write to the orders topic; without it the order
    /// is posted to the admin address.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Who orders.
    #[arg(long, env = "USER", default_value = "operator")]
    pub(crate) by: String,
    /// Why, for the audit trail.
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Shed {
    /// `[caller->]service[:operation][@version=…][@zone=…][@share=…]`
    #[arg(value_parser = target)]
    pub(crate) target: Target,
    /// Refuse every class below this one: SHEDDABLE_PLUS, CRITICAL or CRITICAL_PLUS.
    #[arg(long, value_name = "CLASS", value_parser = class)]
    pub(crate) below: Criticality,
    /// For how long.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) duration: Length,
    /// Show who would be hit, and order nothing.
    #[arg(long)]
    pub(crate) preview: bool,
    #[command(flatten)]
    pub(crate) hand: ByHand,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["target", "all"]))]
pub(crate) struct Release {
    /// Everything in force on this target.
    #[arg(value_parser = target)]
    pub(crate) target: Option<Target>,
    /// Everything in force.
    #[arg(long)]
    pub(crate) all: bool,
    /// Only this knob, for example admission.
    #[arg(long, value_parser = knob)]
    pub(crate) knob: Option<Knob>,
    #[command(flatten)]
    pub(crate) hand: ByHand,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how").args(["freeze", "ramp", "now"]))]
pub(crate) struct Disarm {
    /// What is in force stays as it is; nothing new, nothing changes.
    #[arg(long)]
    pub(crate) freeze: bool,
    /// What is in force is let go step by step.
    #[arg(long)]
    pub(crate) ramp: bool,
    /// What is in force is released at once (the default).
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) hand: ByHand,
}

#[derive(Debug, Args)]
pub(crate) struct Arm {
    #[command(flatten)]
    pub(crate) hand: ByHand,
}

#[derive(Debug, Args)]
pub(crate) struct Verdict {
    /// The command's id, as the proposals topic and the console show it.
    pub(crate) command: String,
    #[command(flatten)]
    pub(crate) hand: ByHand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TapTopic {
    Control,
    Proposals,
    Findings,
    Audit,
    Reports,
    Orders,
    DeadLetter,
}

#[derive(Debug, Args)]
pub(crate) struct Tap {
    /// Which topic.
    #[arg(value_enum)]
    pub(crate) topic: TapTopic,
    /// The configuration; without it the environment alone must do.
    #[arg(long, short, env = "STOPBANK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Instead of the configuration's brokers.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Print what is there already, too.
    #[arg(long)]
    pub(crate) from_beginning: bool,
    /// Stop after this long; without it, at Ctrl-C.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) duration: Option<Length>,
    /// Only for `audit`: verify the chain that is there, by the public keys in this file, and end with code 1 if it does
    /// not hold.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_beginning", "duration"])]
    pub(crate) verify: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Signs commands.
    Engine,
    /// Signs orders.
    Operator,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The files' name: NAME.key (private) and NAME.pub.
    #[arg(long, default_value = "stopbank")]
    pub(crate) name: String,
    /// Who signs with it.
    #[arg(long, value_enum, default_value = "engine")]
    pub(crate) role: Role,
    /// The folder for the two files.
    #[arg(long, default_value = ".")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Write one file each into this folder instead of printing.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

fn target(text: &str) -> Result<Target, String> {
    Target::parse(text).ok_or_else(|| "write [caller->]service[:operation][@version=…][@zone=…][@share=…]".into())
}

fn class(text: &str) -> Result<Criticality, String> {
    match Criticality::parse(text) {
        Some(Criticality::Sheddable) => Err("nothing is below SHEDDABLE".into()),
        Some(class) => Ok(class),
        None => Err("write SHEDDABLE_PLUS, CRITICAL or CRITICAL_PLUS".into()),
    }
}

fn knob(text: &str) -> Result<Knob, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate::PerSecond(rate)),
        _ => Err("write a number of spans per second, or `max`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
