//! `stopbank lab run`: one scenario, one seed.

use super::{scenario, write};
use crate::cli::LabRun;
use crate::exit::Failure;
use crate::print::{self, Format};
use lab::report::{self, Shown};
use lab::score::{Ceiling, METRICS, Scores};
use lab::tunnel::Run;
use lab::{Policy, Scenario, rival};
use model::FindingState;
use serde_json::{Map, Value, json};

pub(super) fn run(arguments: &LabRun, format: Format) -> Result<(), Failure> {
    let scenario = scenario(&arguments.scenario)?;
    let ceiling = Ceiling::new(&scenario, arguments.seed);
    let mut flown = Vec::new();
    for policy in &arguments.policy {
        let cure = (*policy == Policy::Hindsight).then(|| rival::cure(&scenario));
        let run = rival::fly(&scenario, *policy, arguments.seed, cure.as_ref());
        let scores = Scores::of(&scenario, &run, &ceiling);
        match format {
            Format::Text => tell(&scenario, *policy, &run, &scores)?,
            Format::Json => tell_json(&scenario, *policy, &run, &scores)?,
        }
        flown.push((*policy, run, scores));
    }
    if let Some(path) = &arguments.report {
        let runs = flown.iter().map(|(policy, run, scores)| (*policy, run, scores)).collect();
        let policies: Vec<&str> = arguments.policy.iter().map(|policy| policy.as_str()).collect();
        let command = format!(
            "stopbank lab run {} --policy {} --seed {}",
            arguments.scenario,
            policies.join(","),
            arguments.seed
        );
        let shown = [Shown { scenario: &scenario, runs }];
        write(path, &report::html(scenario.name(), &command, &shown, None))?;
    }
    Ok(())
}

fn tell(scenario: &Scenario, policy: Policy, run: &Run, scores: &Scores) -> Result<(), Failure> {
    print::line(&format!("{} under {}, seed {}", scenario.name(), policy.as_str(), run.seed))?;
    let mut told: Vec<(u64, String)> = Vec::new();
    for finding in run.findings.iter().filter(|told| told.what.state != FindingState::Changed) {
        let state = if finding.what.state == FindingState::Opened { "finding" } else { "closed" };
        told.push((finding.at_ms, format!("{state}: {}", finding.what.summary)));
    }
    let mut last = std::collections::BTreeMap::new();
    for sent in run.acts() {
        // for people a renewal goes without saying
        let key = (sent.command.target.to_string(), sent.command.knob);
        if last.insert(key, sent.command.setting) != Some(sent.command.setting) {
            told.push((sent.at_ms, format!("command: {}", crate::screen::command_line(&sent.command))));
        }
    }
    told.sort_by_key(|(at_ms, _)| *at_ms);
    for (at_ms, text) in told {
        print::line(&format!("  {:>6.1} s  {text}", at_ms as f64 / 1000.0))?;
    }
    for (metric, value) in METRICS.iter().zip(&scores.values) {
        if let Some(value) = value {
            print::line(&format!("  {:<22} {value:>12.3}  {}", metric.key, metric.about))?;
        }
    }
    Ok(())
}

fn tell_json(scenario: &Scenario, policy: Policy, run: &Run, scores: &Scores) -> Result<(), Failure> {
    let named =
        |kind: &str| json!({"type": kind, "scenario": scenario.name(), "policy": policy.as_str(), "seed": run.seed});
    for (second, counts) in run.seconds.iter().enumerate() {
        let mut line = named("second");
        let retries = counts.attempts.saturating_sub(counts.first_attempts);
        extend(
            &mut line,
            json!({"at_s": second + 1, "offered": counts.offered, "good": counts.good, "failed": counts.failed,
            "shed": counts.shed, "queued": counts.queued, "retries": retries, "offered_by": counts.offered_by,
            "good_by": counts.good_by}),
        );
        print::json(&line)?;
    }
    for told in &run.findings {
        let mut line = named("finding");
        extend(&mut line, json!({"at_ms": told.at_ms, "finding": told.what}));
        print::json(&line)?;
    }
    for sent in &run.commands {
        let mut line = named("command");
        let arrived_ms = sent.arrival.as_ref().map(|(at_ms, _)| *at_ms);
        extend(&mut line, json!({"at_ms": sent.at_ms, "arrived_ms": arrived_ms, "command": sent.command}));
        print::json(&line)?;
    }
    let mut line = named("scores");
    let values = METRICS.iter().zip(&scores.values);
    let values: Map<String, Value> = values.map(|(metric, value)| (metric.key.to_owned(), json!(value))).collect();
    extend(&mut line, json!({ "scores": values }));
    Ok(print::json(&line)?)
}

fn extend(line: &mut Value, more: Value) {
    if let (Value::Object(line), Value::Object(more)) = (line, more) {
        line.extend(more);
    }
}
