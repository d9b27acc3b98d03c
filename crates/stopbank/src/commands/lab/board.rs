//! The scoreboard as text, Markdown and JSON.

use crate::exit::Failure;
use lab::score::{Board, Cell, METRICS, Stat};
use lab::{Policy, Scenario};
use std::fmt::Write;

/// What a line of a scenario shows.
const SHOWN: [&str; 11] = [
    "value_share",
    "good_critical_plus",
    "good_critical",
    "goodput_rps",
    "value_lost",
    "detect_s",
    "bad_s",
    "leave_s",
    "harm",
    "commands",
    "false_alarms_per_day",
];

/// For a terminal: one line for each policy over all scenarios, then each scenario's value.
pub(super) fn text(board: &Board) -> String {
    let mut out = format!("{:<14}", "policy");
    SHOWN.iter().for_each(|key| _ = write!(out, " {:>20}", key));
    for cell in &board.overall {
        let _ = write!(out, "\n{:<14}", cell.policy.as_str());
        SHOWN.iter().for_each(|key| _ = write!(out, " {:>20}", cell.get(key).map_or("-".to_owned(), mean)));
    }
    out.push_str("\n\nvalue_share by scenario\n");
    let policies: Vec<Policy> = board.overall.iter().map(|cell| cell.policy).collect();
    let _ = write!(out, "{:<34}", "");
    policies.iter().for_each(|policy| _ = write!(out, " {:>11}", policy.as_str()));
    for name in names(board) {
        let _ = write!(out, "\n{name:<34}");
        for policy in &policies {
            let stat = board.cell(name, *policy).and_then(|cell| cell.get("value_share"));
            let _ = write!(out, " {:>11}", stat.map_or("-".to_owned(), mean));
        }
    }
    out
}

/// For the repository, with the command beside it.
pub(super) fn markdown(board: &Board, scenarios: &[Scenario], command: &str) -> String {
    let mut out = String::from("# Scoreboard\n\n");
    let _ = write!(
        out,
        "Made by `{command}`; every number, with all scores, is in the JSON file beside this one. Means over seeds ± half of the \
         95 % confidence interval (Student's t), counted from the onset of the cause to the end of the run. Δ is the difference to \
         guard-alone with the same seeds, in **bold** where its interval leaves out zero: guard-alone is the same guard with good \
         static bounds and no engine, so a Δ of nothing means that the engine was decoration.\n\n## All scenarios\n\n"
    );
    out.push_str(&head());
    board.overall.iter().for_each(|cell| out.push_str(&row(cell)));
    out.push_str("\n## What the columns mean\n\n");
    for metric in METRICS.iter().filter(|metric| SHOWN.contains(&metric.key)) {
        let _ = writeln!(out, "* `{}`: {}.", metric.key, metric.about);
    }
    out.push_str("\n## The policies\n\n");
    for cell in &board.overall {
        let _ = writeln!(out, "* `{}`: {}.", cell.policy.as_str(), cell.policy.about());
    }
    for name in names(board) {
        let _ = write!(out, "\n## {name}\n\n");
        if let Some(scenario) = scenarios.iter().find(|scenario| scenario.name() == name) {
            let (kind, expected) = (scenario.terms.kind.as_str(), scenario.terms.expected.as_str());
            let _ = write!(out, "{} ({kind}; {expected})\n\n", scenario.terms.about.trim());
        }
        out.push_str(&head());
        board.cells.iter().filter(|cell| cell.scenario == name).for_each(|cell| out.push_str(&row(cell)));
    }
    out
}

/// The board behind it: a line for each cell, so that a change shows where it is.
pub(super) fn json(board: &Board, command: &str) -> Result<String, Failure> {
    let cells = |cells: &[Cell]| -> Result<String, Failure> {
        let lines: Result<Vec<String>, _> = cells.iter().map(|cell| serde_json::to_string(&cell.to_json())).collect();
        Ok(lines.map_err(Failure::job)?.join(",\n"))
    };
    let command = serde_json::to_string(command).map_err(Failure::job)?;
    let (overall, scenarios) = (cells(&board.overall)?, cells(&board.cells)?);
    Ok(format!("{{\"command\":{command},\n\"overall\":[\n{overall}\n],\n\"scenarios\":[\n{scenarios}\n]}}\n"))
}

fn names(board: &Board) -> Vec<&str> {
    let mut names: Vec<&str> = board.cells.iter().map(|cell| cell.scenario.as_str()).collect();
    names.dedup();
    names
}

fn head() -> String {
    let mut out = "| policy |".to_owned();
    SHOWN.iter().for_each(|key| _ = write!(out, " {key} |"));
    out.push_str(" Δ value_share |\n| --- |");
    SHOWN.iter().for_each(|_| out.push_str(" ---: |"));
    out.push_str(" ---: |\n");
    out
}

fn row(cell: &Cell) -> String {
    let mut out = format!("| {} |", cell.policy.as_str());
    for key in SHOWN {
        let text = cell.get(key).map_or("–".to_owned(), |stat| match stat.ci95 > 0.0 {
            true => format!("{} ± {}", mean(stat), number(stat.ci95)),
            false => mean(stat),
        });
        let _ = write!(out, " {text} |");
    }
    let difference = match cell.to_guard("value_share") {
        Some(stat) if cell.policy != Policy::GuardAlone => {
            let text = format!("{:+.4} ± {:.4}", stat.mean, stat.ci95);
            if stat.is_clear() { format!("**{text}**") } else { text }
        }
        _ => "–".to_owned(),
    };
    let _ = writeln!(out, " {difference} |");
    out
}

fn mean(stat: Stat) -> String {
    number(stat.mean)
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size > 0.0 => format!("{value:.3}"),
        _ => "0".to_owned(),
    }
}
