//! `stopbank lab lenses`: one fleet through every lens.

use crate::cli::LabLenses;
use crate::commands::generate::topology;
use crate::exit::Failure;
use crate::print::{self, Format, Progress};
use lab::Lens;
use lab::lens::{Bar, BarConfig, look, table};
use model::Command;
use serde_json::{Value, json};
use std::path::Path;

const BEGIN: &str = "<!-- lenses: written by `stopbank lab lenses --page` -->";
const END: &str = "<!-- end of lenses -->";

pub(super) fn run(arguments: &LabLenses, format: Format) -> Result<(), Failure> {
    let topology = topology(&arguments.topology)?;
    if topology.fault.is_empty() {
        return Err(Failure::usage(format!(
            "{}: nothing goes wrong in it, and a cascade is wanted",
            arguments.topology
        )));
    }
    let lenses = if arguments.lenses.is_empty() { Lens::ALL.to_vec() } else { arguments.lenses.clone() };
    let progress = Progress::new();
    let mut bars: Vec<Bar> = Vec::new();
    for seed in 1..=arguments.seeds {
        progress.show(&format!("seed {seed} of {}", arguments.seeds));
        let config = BarConfig { seed, scale: arguments.scale, lenses: lenses.clone(), ..BarConfig::default() };
        bars.push(look(&topology, &config));
    }
    progress.clear();
    let table = table(&bars);
    if let Some(page) = &arguments.page {
        write(page, &table)?;
    }
    match format {
        Format::Text => print::line(table.trim_end())?,
        Format::Json => {
            for (seed, bar) in (1u64..).zip(&bars) {
                for sight in &bar.sights {
                    let said: Vec<Value> = sight.said.iter().map(told).collect();
                    let wrongs: Vec<String> = bar.wrongs(sight.lens).iter().map(|wrong| format!("{wrong:?}")).collect();
                    print::json(
                        &json!({"type": "lens", "seed": seed, "lens": sight.lens.as_str(), "spans": sight.spans,
                        "coverage": sight.coverage, "detected_ms": sight.detected_ms, "misses": wrongs, "commands": said}),
                    )?;
                }
            }
        }
    }
    let missed = bars.iter().any(|bar| bar.sights.iter().any(|sight| !bar.wrongs(sight.lens).is_empty()));
    if missed { Err(Failure::job("a lens missed the bar")) } else { Ok(()) }
}

/// A command and when it was said, milliseconds since the fault.
fn told((after_ms, command): &(u64, Command)) -> Value {
    json!({"after_ms": after_ms, "target": command.target.to_string(), "knob": command.knob, "setting": command.setting,
        "mode": command.mode, "signature": command.reason.signature, "summary": command.reason.summary})
}

/// Puts the table between the marks.
fn write(page: &Path, table: &str) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::job(format!("{}: {error}", page.display()));
    let text = std::fs::read_to_string(page).map_err(|error| wrong(&error))?;
    let (Some(from), Some(until)) = (text.find(BEGIN), text.find(END)) else {
        return Err(wrong(&format!("the marks `{BEGIN}` and `{END}` are missing")));
    };
    let text = format!("{}{BEGIN}\n{table}{}", &text[..from], &text[until..]);
    std::fs::write(page, text).map_err(|error| wrong(&error))
}
