//! A run, or many, as one HTML page that needs no network: inline styles and inline SVG, light and dark.

mod chart;
mod graph;
mod svg;
mod table;
mod timeline;

use crate::score::{Board, Scores};
use crate::tunnel::Run;
use crate::{Policy, Scenario, Second};
use chart::{Chart, Line, Span};
use std::fmt::Write;
use svg::escape;

/// A scenario with one run under each policy.
pub struct Shown<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The runs, all with the same seed, and what they came to.
    pub runs: Vec<(Policy, &'a Run, &'a Scores)>,
}

/// The page. `board` sums up many seeds, if there were many.
pub fn html(title: &str, command: &str, shown: &[Shown<'_>], board: Option<&Board>) -> String {
    let mut page = String::new();
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    write_to(&mut page, format_args!("<title>{}</title><style>{}</style></head><body><main>", escape(title), STYLE));
    write_to(
        &mut page,
        format_args!(
            "<header><h1>{}</h1><p class=\"quiet\">Made by <code>{}</code></p></header>",
            escape(title),
            escape(command)
        ),
    );
    if let Some(board) = board {
        page.push_str(&table::overall(board));
    }
    if shown.len() > 1 {
        page.push_str("<nav><h2>Scenarios</h2><ul>");
        for one in shown {
            let name = escape(one.scenario.name());
            write_to(&mut page, format_args!("<li><a href=\"#{name}\">{name}</a></li>"));
        }
        page.push_str("</ul></nav>");
    }
    for one in shown {
        page.push_str(&section(one, board));
    }
    page.push_str("</main></body></html>\n");
    page
}

fn section(shown: &Shown<'_>, board: Option<&Board>) -> String {
    let scenario = shown.scenario;
    let mut out = String::new();
    let name = escape(scenario.name());
    write_to(&mut out, format_args!("<section id=\"{name}\"><h2>{name}</h2><p>{}</p>", escape(&scenario.terms.about)));
    let seed = shown.runs.first().map_or(0, |(_, run, _)| run.seed);
    write_to(
        &mut out,
        format_args!(
            "<p class=\"quiet\">{} · {} · cause from {} s to {} s · curves of seed {seed}, means of 3 s{}</p>",
            scenario.terms.kind.as_str(),
            scenario.terms.expected.as_str(),
            number(scenario.onset_s()),
            number(scenario.cause_ends_s()),
            if scenario.terms.source.is_empty() {
                String::new()
            } else {
                format!(" · after {}", escape(&scenario.terms.source))
            }
        ),
    );
    out.push_str(&legend(shown));
    out.push_str("<div class=\"charts\">");
    for chart in charts(shown) {
        out.push_str(&chart.svg());
    }
    out.push_str("</div>");
    out.push_str(&table::scores(scenario.name(), &shown.runs, board));
    for (policy, run, _) in &shown.runs {
        if let Some(detection) = &run.detection
            && let Some(view) = &detection.view
        {
            out.push_str(&graph::figure(*policy, detection, view, run));
        }
        if run.acts().next().is_some() || !run.findings.is_empty() {
            out.push_str(&timeline::figure(*policy, scenario, run));
        }
    }
    out.push_str("</section>");
    out
}

fn legend(shown: &Shown<'_>) -> String {
    let mut out = String::from("<ul class=\"legend\">");
    for (policy, ..) in &shown.runs {
        let (class, about) = (class(*policy), escape(policy.about()));
        write_to(
            &mut out,
            format_args!(
                "<li class=\"{class}\" title=\"{about}\"><svg width=\"26\" height=\"8\" aria-hidden=\"true\"><path class=\"line {class}\" d=\"M1 4H25\"/></svg>{}</li>",
                policy.as_str()
            ),
        );
    }
    out.push_str("</ul>");
    out
}

fn charts(shown: &Shown<'_>) -> Vec<Chart> {
    let scenario = shown.scenario;
    let span = Span {
        length_s: f64::from(scenario.terms.length_s),
        onset_s: scenario.onset_s(),
        ends_s: scenario.cause_ends_s(),
        found_s: shown.runs.iter().find_map(|(_, run, _)| Some(run.detection.as_ref()?.at_ms as f64 / 1000.0)),
    };
    let lines = |value: &dyn Fn(&Second) -> f64, but: &[Policy]| -> Vec<Line> {
        let wanted = shown.runs.iter().filter(|(policy, ..)| !but.contains(policy));
        wanted
            .map(|(policy, run, _)| Line {
                class: class(*policy),
                name: policy.as_str(),
                values: smooth(&run.seconds, value),
            })
            .collect()
    };
    let offered = shown.runs.iter().find(|(policy, ..)| *policy != Policy::Clairvoyant).map(|(_, run, _)| run);
    let mut goodput = lines(&|second| second.good as f64, &[]);
    if let Some(run) = offered {
        let values = smooth(&run.seconds, &|second| second.offered as f64);
        goodput.insert(0, Line { class: "offered", name: "offered", values });
    }
    let unreal = [Policy::Clairvoyant];
    vec![
        Chart {
            title: "Goodput: requests a second that were answered well in time",
            unit: "/s",
            span,
            lines: goodput,
            log: false,
            tall: true,
        },
        Chart {
            title: "Requests waiting in queues, over the whole fleet (log scale)",
            unit: "",
            span,
            lines: lines(&|second| second.queued as f64, &unreal),
            log: true,
            tall: false,
        },
        Chart {
            title: "Retries a second",
            unit: "/s",
            span,
            lines: lines(&|second| second.attempts.saturating_sub(second.first_attempts) as f64, &unreal),
            log: false,
            tall: false,
        },
    ]
}

/// Means of three seconds: single seconds jump about by chance.
fn smooth(seconds: &[Second], value: &dyn Fn(&Second) -> f64) -> Vec<f64> {
    let values: Vec<f64> = seconds.iter().map(value).collect();
    (0..values.len())
        .map(|at| {
            let around = &values[at.saturating_sub(1)..(at + 2).min(values.len())];
            around.iter().sum::<f64>() / around.len() as f64
        })
        .collect()
}

/// The style of a policy's curve: ours and its measure stand out, the others stay behind.
fn class(policy: Policy) -> &'static str {
    match policy {
        Policy::None => "none",
        Policy::Static => "static",
        Policy::Throttle => "throttle",
        Policy::Gradient => "gradient",
        Policy::Dagor => "dagor",
        Policy::Breakwater => "breakwater",
        Policy::TopFull => "topfull",
        Policy::GuardAlone => "guard",
        Policy::Stopbank => "stopbank",
        Policy::Commanded => "commanded",
        Policy::Hindsight => "hindsight",
        Policy::Clairvoyant => "clairvoyant",
    }
}

/// Without needless digits.
fn number(value: f64) -> String {
    let text = if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else if value.abs() >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn write_to(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a string takes everything");
}

const STYLE: &str = include_str!("style.css");
