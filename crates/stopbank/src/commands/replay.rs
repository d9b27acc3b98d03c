//! `stopbank replay`: captures through the same core, in event time, as fast as it can.

use crate::capture;
use crate::cli::Replay as Arguments;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::{config, screen, wiring};
use engine::Effect;
use model::{Finding, Setting};
use runtime::{Replay, ReplayConfig, ReplayCounts, Replayed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Result as Written;
use std::path::PathBuf;

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let settings = super::configuration(arguments.config.as_deref())?;
    crate::logs::start("warn", format);
    let mut teller = Teller { format, findings: 0, commands: 0, told: BTreeMap::new(), written: Ok(()) };
    let mut replay = Replay::new(configured(&settings));
    if !arguments.baseline.is_empty() {
        replay = learned(replay, &settings, &arguments.baseline, first_end_ns(&arguments.files, &settings)?)?;
    }
    capture::feed(&mut replay, &arguments.files, &mut |replayed| teller.hear(&replayed))?;
    replay.finish(&mut |replayed| teller.hear(&replayed));
    teller.close(replay.counts(), &replay)
}

/// How a replay is set: as `run` would be, with a fixed grace.
pub(super) fn configured(settings: &config::Config) -> ReplayConfig {
    let mut window = wiring::window(settings);
    // A capture is read once and is small: every trace tells its flow.
    window.flow_sample = 1;
    ReplayConfig {
        reader: wiring::reader(settings),
        window,
        engine: wiring::engine(settings),
        ..ReplayConfig::default()
    }
}

/// The engine after the healthy capture, whose times are moved so that it ends just before `until_ns`.
fn learned(
    mut replay: Replay,
    settings: &config::Config,
    baseline: &[PathBuf],
    until_ns: u64,
) -> Result<Replay, Failure> {
    let last_ns = last_end_ns(baseline, settings)?;
    let gap_ns = 1_000_000_000;
    let shift = i128::from(until_ns) - i128::from(last_ns) - gap_ns;
    replay.shift(i64::try_from(shift).map_err(|_| Failure::job("the captures lie too far apart in time"))?);
    capture::feed(&mut replay, baseline, &mut |_| {})?;
    replay.finish(&mut |_| {});
    Ok(Replay::with_engine(configured(settings), replay.into_engine()))
}

/// The end of the first window of these captures, Unix nanoseconds.
fn first_end_ns(files: &[PathBuf], settings: &config::Config) -> Result<u64, Failure> {
    Ok(ends(files, settings)?.0)
}

fn last_end_ns(files: &[PathBuf], settings: &config::Config) -> Result<u64, Failure> {
    Ok(ends(files, settings)?.1)
}

/// The ends of the first and the last window that hold spans.
fn ends(files: &[PathBuf], settings: &config::Config) -> Result<(u64, u64), Failure> {
    let (mut first, mut last) = (u64::MAX, 0);
    let mut see = |replayed: Replayed<'_>| {
        if let engine::Input::Window(window) = replayed.input
            && window.spans > 0
        {
            first = first.min(window.end_ns);
            last = last.max(window.end_ns);
        }
    };
    let mut replay = Replay::new(configured(settings));
    capture::feed(&mut replay, files, &mut see)?;
    replay.finish(&mut see);
    if last == 0 { Err(Failure::job("there is no span in the capture")) } else { Ok((first, last)) }
}

struct Teller {
    format: Format,
    findings: u64,
    commands: u64,
    told: BTreeMap<(String, &'static str), Option<Setting>>,
    written: Written<()>,
}

impl Teller {
    fn hear(&mut self, replayed: &Replayed<'_>) {
        for effect in &replayed.effects {
            if self.written.is_err() {
                return;
            }
            self.written = match effect {
                Effect::Finding(finding) => self.finding(finding),
                Effect::Command(command) => self.command(command, replayed.now_ms),
                Effect::Audit(entry) => self.audit(entry),
            };
        }
    }

    fn finding(&mut self, finding: &Finding) -> Written<()> {
        if finding.state == model::FindingState::Opened {
            self.findings += 1;
        }
        match self.format {
            Format::Json => print::json(&typed("finding", json!(finding))),
            Format::Text if finding.state == model::FindingState::Changed => Ok(()),
            Format::Text => print::line(&format!(
                "{}  {:?}: {} — {} (confidence {:.2})",
                control::rfc3339(finding.at_ms),
                finding.state,
                screen::signature(finding.signature),
                finding.summary,
                finding.confidence
            )),
        }
    }

    /// Why something was not done belongs to the story for people; scripts read findings and commands.
    fn audit(&self, entry: &model::AuditEntry) -> Written<()> {
        if self.format == Format::Json || entry.kind != model::AuditKind::Gated {
            return Ok(());
        }
        print::line(&format!("{}  {}", control::rfc3339(entry.at_ms), entry.text))
    }

    fn command(&mut self, command: &model::Command, now_ms: u64) -> Written<()> {
        self.commands += 1;
        match self.format {
            Format::Json => {
                let mut line = typed("command", json!(command));
                line["at_ms"] = json!(now_ms);
                print::json(&line)
            }
            Format::Text => {
                // For people a renewal goes without saying.
                let key = (command.target.to_string(), command.knob.as_str());
                if self.told.insert(key, command.setting) == Some(command.setting) {
                    return Ok(());
                }
                let would = if command.mode == model::Mode::Act { "command" } else { "would command" };
                print::line(&format!("{}  {would}: {}", control::rfc3339(now_ms), screen::command_line(command)))
            }
        }
    }

    fn close(self, counts: ReplayCounts, replay: &Replay) -> Result<(), Failure> {
        self.written?;
        let graph = replay.engine().view();
        let (services, edges) = (graph.services.len(), graph.edges.len());
        match self.format {
            Format::Json => {
                let mut line = typed("summary", json!(counts));
                line["findings"] = json!(self.findings);
                line["commands"] = json!(self.commands);
                line["services"] = json!(services);
                line["edges"] = json!(edges);
                print::json(&line)?;
            }
            Format::Text => print::line(&format!(
                "{} spans in {} records, {} calls, {services} services and {edges} edges, {} windows, {} late, {} poison; {} \
                 findings, {} commands",
                counts.spans,
                counts.records,
                counts.calls,
                counts.windows,
                counts.late,
                counts.poison,
                self.findings,
                self.commands
            ))?,
        }
        Ok(())
    }
}

/// The value with its `type` first.
fn typed(kind: &str, value: Value) -> Value {
    let mut line = serde_json::Map::from_iter([("type".to_owned(), json!(kind))]);
    if let Value::Object(fields) = value {
        line.extend(fields);
    }
    Value::Object(line)
}
