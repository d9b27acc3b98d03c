//! `stopbank bench`: measures this machine, or compares two saved runs.

use crate::bench::{self, Plan, Report};
use crate::cli::{Bench, BenchMix};
use crate::exit::Failure;
use crate::print::{self, Format, Progress};
use serde_json::{Value, json};

pub(super) fn run(arguments: &Bench, format: Format) -> Result<(), Failure> {
    let before = arguments.compare.as_deref().map(bench::read).transpose()?;
    let report = match &arguments.with {
        Some(path) => bench::read(path)?,
        None => measured(arguments, format)?,
    };
    let comparison = before.map(|before| bench::compare(&before, &report));
    match format {
        Format::Json => {
            if let Some(comparison) = comparison {
                print::json(&comparison.json())?;
            }
            let mut line = json!({"type": "bench"});
            if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), json!(report)) {
                line.extend(fields);
            }
            print::json(&line)?;
        }
        Format::Text => {
            print::line(&report.table())?;
            for mix in report.mixes.iter().filter(|mix| mix.live.limited_by_load) {
                print::line(&format!("{}: the load could not send more; the pipeline may take more", mix.mix))?;
            }
            if let Some(comparison) = comparison {
                print::line(&comparison.table())?;
            }
        }
    }
    Ok(())
}

fn measured(arguments: &Bench, format: Format) -> Result<Report, Failure> {
    crate::logs::start("warn", format);
    let names: &[&str] = match arguments.mix {
        BenchMix::Plain => &["plain"],
        BenchMix::Hard => &["hard"],
        BenchMix::Both => &["plain", "hard"],
    };
    let plan = Plan {
        brokers: arguments.brokers.clone(),
        mixes: names.iter().filter_map(|name| bench::mix(name)).collect(),
        window: arguments.window.duration(),
        trials: arguments.trials.max(1),
        spans: arguments.spans.max(1),
        memory_mib: arguments.memory_mib,
    };
    let progress = Progress::new();
    let report = bench::run(&plan, &|what| progress.show(what));
    progress.clear();
    report
}
