//! The report for people: the worst first, what it means, what mends it.

use crate::question::{number, percent};
use crate::{Ability, Grade, Place, Remedy, Report, State};
use std::fmt::Write;

/// Columns of a line.
const WIDTH: usize = 110;
/// Where an answer's text begins.
const INDENT: usize = 18;

/// The report as text, without colours.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    head(report, &mut out);
    answers(report, &mut out);
    means(report, &mut out);
    mends(report, &mut out);
    services(report, &mut out);
    out
}

fn head(report: &Report, out: &mut String) {
    let census = &report.census;
    let facts = format!(
        "{} spans in {} records, {} s, {} services",
        number(census.spans),
        number(census.records),
        number(census.seconds),
        census.services
    );
    line(out, format_args!("{}: grade {}", report.subject, report.grade));
    line(out, format_args!("{facts}"));
    if census.traces_one_in > 1 {
        line(out, format_args!("one trace in {} was looked at as a whole", census.traces_one_in));
    }
}

fn answers(report: &Report, out: &mut String) {
    out.push('\n');
    for answer in &report.answers {
        let head = format!("  {}  {:<12}", answer.grade, answer.question.as_str());
        wrapped(out, &head, &answer.summary);
        for detail in &answer.details {
            wrapped(out, "", &format!("· {detail}"));
        }
    }
}

fn means(report: &Report, out: &mut String) {
    let hampered: Vec<&Ability> = report.abilities.iter().filter(|ability| ability.state != State::Ok).collect();
    out.push('\n');
    if hampered.is_empty() {
        line(out, format_args!("Everything that stopbank looks for can be found."));
        return;
    }
    line(out, format_args!("What cannot be found, or only badly"));
    for ability in hampered {
        let state = if ability.state == State::Impossible { "impossible" } else { "weak" };
        let because = ability.because.iter().map(|question| question.as_str()).collect::<Vec<_>>().join(", ");
        line(out, format_args!("  {state:<12}{:<24}because of {because}", ability.finding.as_str()));
    }
}

fn mends(report: &Report, out: &mut String) {
    let mut remedies: Vec<(&'static str, &Remedy)> = Vec::new();
    for answer in report.answers.iter().filter(|answer| answer.grade > Grade::A) {
        for remedy in &answer.remedies {
            if !remedies.iter().any(|(_, known)| {
                known.say == remedy.say || (known.snippet.is_some() && known.snippet == remedy.snippet)
            }) {
                remedies.push((answer.question.as_str(), remedy));
            }
        }
    }
    if remedies.is_empty() {
        return;
    }
    out.push('\n');
    line(out, format_args!("What mends it"));
    for (question, remedy) in remedies {
        let place = match remedy.place {
            Place::Collector => "Collector",
            Place::Sdk => "SDK",
            Place::Host => "host",
        };
        wrapped(out, &format!("  {question:<12}"), &format!("{place}: {}", remedy.say));
        for text in remedy.snippet.iter().flat_map(|snippet| snippet.text.lines()) {
            line(out, format_args!("{:INDENT$}    {text}", ""));
        }
    }
}

fn services(report: &Report, out: &mut String) {
    const SHOWN: usize = 20;
    if report.services.is_empty() {
        return;
    }
    let width = report.services.iter().take(SHOWN).map(|one| one.service.chars().count()).max().unwrap_or(0).max(8);
    out.push('\n');
    line(
        out,
        format_args!(
            "     {:<width$} {:>11} {:>9} {:>9} {:>10} {:>9} {:>12}",
            "service", "spans", "requests", "calls", "operations", "orphans", "other half"
        ),
    );
    for one in report.services.iter().take(SHOWN) {
        let other_half = if one.calls == 0 { "-".to_owned() } else { percent(1.0 - one.unanswered_share) };
        line(
            out,
            format_args!(
                "  {}  {:<width$} {:>11} {:>9} {:>9} {:>10} {:>9} {:>12}",
                one.grade,
                one.service,
                number(one.spans),
                number(one.requests),
                number(one.calls),
                one.operations,
                percent(one.orphans_share),
                other_half
            ),
        );
    }
    if report.services.len() > SHOWN {
        line(out, format_args!("     and {} more", report.services.len() - SHOWN));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes it");
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

/// `head` in its column, `text` broken at words beside it.
fn wrapped(out: &mut String, head: &str, text: &str) {
    let (mut head, mut current) = (head, String::new());
    for word in text.split(' ') {
        if !current.is_empty() && INDENT + current.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, format_args!("{head:<INDENT$}{current}"));
            (head, current) = ("", String::new());
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    line(out, format_args!("{head:<INDENT$}{current}"));
}
