//! `stopbank shed`: refuses the least important requests of a service, after showing who is hit.

use super::blast::{Blast, blast};
use super::{configuration, confirm, guards, orders, remark};
use crate::cli::Shed;
use crate::config::Config;
use crate::exit::Failure;
use crate::print::{self, Format};
use model::{GraphView, Knob, OrderKind, Setting, Target};
use serde_json::json;
use std::collections::BTreeSet;

/// Nobody holds a knob for longer.
const HOLD_MAX_MS: u64 = 86_400_000;

pub(in crate::commands) fn shed(arguments: &Shed, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let config = configuration(&arguments.hand)?;
    let ttl_ms = u32::try_from(arguments.duration.ms().min(HOLD_MAX_MS)).unwrap_or(u32::MAX);
    if arguments.duration.ms() > HOLD_MAX_MS || ttl_ms == 0 {
        return Err(Failure::usage(format!("--for {}: at most a day, and longer than nothing", arguments.duration)));
    }
    if arguments.target.caller.is_some() {
        return Err(Failure::usage("admission is a service's own: name the service, without a caller"));
    }
    match seen(&config, &arguments.target) {
        Ok(graph) => {
            // whoever has said yes already is in a hurry
            let guards =
                if arguments.preview || !arguments.hand.yes { Some(listening(&config, arguments)?) } else { None };
            tell(arguments, &graph, &blast(&graph, &arguments.target, arguments.below), guards.as_ref(), format)?;
        }
        Err(failure) if arguments.preview || !arguments.hand.yes => return Err(failure),
        Err(failure) => remark(&format!("who is hit is not known: {failure}"))?,
    }
    if arguments.preview {
        return Ok(());
    }
    confirm(&arguments.hand, "Shed them?")?;
    let setting = Setting::Admission { lowest: arguments.below, fraction_permille: 1000 };
    let hold = OrderKind::Hold { target: arguments.target.clone(), setting, ttl_ms };
    orders::give(&config, &arguments.hand, vec![hold], format)
}

/// The live graph, if it knows the target.
fn seen(config: &Config, target: &Target) -> Result<GraphView, Failure> {
    let url = format!("http://{}/graph", config.admin.address);
    let away = |why: String| Failure::job(format!("{url}: {why}; the live graph is that of a running `stopbank run`"));
    let mut answer = orders::agent().get(&url).call().map_err(|error| away(error.to_string()))?;
    let text = answer.body_mut().read_to_string().map_err(|error| away(error.to_string()))?;
    let graph: GraphView = serde_json::from_str(&text).map_err(|error| away(error.to_string()))?;
    if graph.services.iter().any(|service| service.name == target.service) {
        return Ok(graph);
    }
    let known: Vec<&str> = graph.services.iter().map(|service| service.name.as_str()).collect();
    Err(Failure::usage(format!("the live graph knows no service `{}`; it knows {}", target.service, known.join(", "))))
}

/// Whose guards would obey.
fn listening(config: &Config, arguments: &Shed) -> Result<BTreeSet<String>, Failure> {
    let guards = guards::listening(config, &arguments.target, Knob::Admission)?;
    if guards.is_empty() {
        remark(&format!(
            "no guard of {} reports: whether anybody there obeys the control topic is not known",
            arguments.target.service
        ))?;
    }
    Ok(guards)
}

fn tell(
    arguments: &Shed,
    graph: &GraphView,
    blast: &Blast,
    guards: Option<&BTreeSet<String>>,
    format: Format,
) -> Result<(), Failure> {
    let Shed { target, below, duration, .. } = arguments;
    if format == Format::Json {
        return Ok(print::json(&json!({"type": "preview", "target": target, "below": below,
            "for_ms": duration.ms(), "at_ms": graph.at_ms, "coverage": graph.coverage, "blast": blast,
            "guards": guards}))?);
    }
    let lines = [format!("{target}: admit {} and above, for {duration}", below.as_str())];
    let flows = blast.flows.iter().map(|flow| {
        let what = if flow.shed { "refused" } else { "stays" };
        let (entry, operation, class) = (&flow.entry, &flow.operation, flow.criticality.as_str());
        format!("  {what:<8}{class:<16}{:>9.1} req/s  {entry} {operation}", flow.visits_rps)
    });
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    let (shed, at_target, hit, entering) = (blast.shed_rps, blast.target_rps, blast.entry_hit_rps, blast.entry_rps);
    let spared: Vec<String> = blast.spared_rps.iter().map(|(name, rps)| format!("{name} {rps:.1}/s")).collect();
    let sums = [
        format!("refuses {shed:.1} of {at_target:.1} req/s at {target} ({:.1} %)", share(shed, at_target)),
        format!("hits {hit:.1} of {entering:.1} req/s that enter the fleet ({:.1} %)", share(hit, entering)),
        format!("spares {}", if spared.is_empty() { "nobody behind it".to_owned() } else { spared.join(", ") }),
        format!("as seen with {:.0} % of the telemetry complete", graph.coverage * 100.0),
    ];
    let guards = guards.filter(|guards| !guards.is_empty()).map(|guards| {
        let names: Vec<&str> = guards.iter().take(5).map(String::as_str).collect();
        let more = if guards.len() > names.len() { ", …" } else { "" };
        format!("obeyed by {} guards that report: {}{more}", guards.len(), names.join(", "))
    });
    lines.into_iter().chain(flows).chain(sums).chain(guards).try_for_each(|line| print::line(&line))?;
    if target.version.is_some() || target.zone.is_some() || target.instance.is_some() || target.share_percent.is_some()
    {
        remark("the numbers are of the whole service; the target names a part of its instances")?;
    }
    Ok(())
}
