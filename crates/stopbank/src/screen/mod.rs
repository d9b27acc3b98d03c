//! What the terminal shows while the demo runs: the graph, findings, commands, goodput. Pure: values in, lines out.

mod edges;
mod sparkline;

pub(crate) use sparkline::sparkline;

use model::{Command, Finding, GraphView};
use std::fmt::Write;

/// Everything that one picture shows.
pub(crate) struct Picture<'a> {
    /// What is going on, in words.
    pub(crate) phase: &'a str,
    /// Seconds since the start.
    pub(crate) at_s: u64,
    /// The live graph.
    pub(crate) graph: &'a GraphView,
    /// Open findings.
    pub(crate) findings: &'a [Finding],
    /// Commands in force.
    pub(crate) commands: &'a [Command],
    /// What happened, newest last.
    pub(crate) events: &'a [String],
    /// Requests per second that the fleet served well, one a second, newest last.
    pub(crate) goodput: &'a [u64],
    /// The same, offered.
    pub(crate) offered: u64,
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// Its lines.
    pub(crate) height: usize,
}

/// The terminal's columns and lines.
pub(crate) fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size();
    size.map_or((100, 50), |(width, height)| (usize::from(width.0), usize::from(height.0)))
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// Lines of events that are kept on the screen.
const EVENTS: usize = 8;

/// The picture as lines without a line end, none wider than the terminal.
pub(crate) fn lines(picture: &Picture<'_>) -> Vec<String> {
    let width = picture.width.max(60);
    let mut lines = Vec::new();
    lines.push(format!("{BOLD}stopbank demo{PLAIN}  {:>3} s  {}", picture.at_s, picture.phase));
    lines.push(goodput(picture, width));
    lines.push(String::new());
    lines.extend(edges::table(picture.graph, width));
    lines.push(String::new());
    lines.push(format!("{BOLD}Findings{PLAIN}"));
    if picture.findings.is_empty() {
        lines.push(format!("{DIM}  none{PLAIN}"));
    }
    for finding in picture.findings.iter().take(3) {
        lines.extend(finding_lines(finding, width));
    }
    lines.push(format!("{BOLD}Commands in force{PLAIN}"));
    if picture.commands.is_empty() {
        lines.push(format!("{DIM}  none{PLAIN}"));
    }
    lines
        .extend(picture.commands.iter().take(8).map(|command| format!("  {}", cut(&command_line(command), width - 2))));
    lines.push(format!("{BOLD}What happened{PLAIN}"));
    let skipped = picture.events.len().saturating_sub(EVENTS);
    lines.extend(picture.events.iter().skip(skipped).map(|event| format!("  {}", cut(event, width - 2))));
    // A line too many would scroll the picture away.
    lines.truncate(picture.height.max(10) - 1);
    lines
}

/// Redraws in place: home, each line with the rest of it erased, then everything below erased.
pub(crate) fn frame(lines: &[String]) -> String {
    let mut frame = String::from("\x1b[H");
    for line in lines {
        let _ = write!(frame, "{line}\x1b[K\r\n");
    }
    frame.push_str("\x1b[J");
    frame
}

/// A command in one line: what is turned, to what, where, why.
pub(crate) fn command_line(command: &Command) -> String {
    let value = command.setting.map_or_else(|| "released".to_owned(), setting);
    format!("{} {} = {}", command.target, command.knob.as_str(), value)
}

fn setting(setting: model::Setting) -> String {
    use model::Setting as S;
    match setting {
        S::Admission { lowest, fraction_permille: 1000 } => format!("{} and above", lowest.as_str()),
        S::Admission { lowest, fraction_permille } => {
            format!("above {}, and {}% of it", lowest.as_str(), f64::from(fraction_permille) / 10.0)
        }
        S::QueueBound { work_ms } => format!("{work_ms} ms of work"),
        S::RetryBudget { ratio_permille } => format!("{}% of first attempts", f64::from(ratio_permille) / 10.0),
        S::Timeout { timeout_ms } => format!("{timeout_ms} ms"),
        S::Concurrency { limit } => format!("{limit} in flight"),
        S::Breaker { phase } => format!("{phase:?}").to_lowercase(),
        S::BreakerThreshold { failure_permille } => {
            format!("opens at {}% failures", f64::from(failure_permille) / 10.0)
        }
        S::KillSwitch { level } => format!("level {level}"),
        S::Purge { older_than_ms } => format!("work older than {older_than_ms} ms, answered \"do not retry\""),
        S::Restart { at_once_percent } => format!("{at_once_percent}% at once"),
        S::Replicas { count } => count.to_string(),
        S::Route { share_permille } => format!("{}% of the usual traffic", f64::from(share_permille) / 10.0),
    }
}

/// How late the evidence came, where it did or the time is known.
fn lateness(finding: &Finding) -> String {
    if finding.late == 0.0 && finding.behind_ms == 0 {
        return String::new();
    }
    format!(", {:.0}% late, {:.1} s behind", finding.late * 100.0, finding.behind_ms as f64 / 1000.0)
}

fn finding_lines(finding: &Finding, width: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "  {RED}{}{PLAIN} {} {DIM}(confidence {:.2}, coverage {:.2}{}){PLAIN}",
        signature(finding.signature),
        cut(&finding.summary, width.saturating_sub(52)),
        finding.confidence,
        finding.coverage,
        lateness(finding)
    )];
    for evidence in finding.evidence.iter().take(3) {
        let text =
            format!("{} {}: {:.4} against {:.4}", evidence.subject, evidence.fact, evidence.value, evidence.limit);
        lines.push(format!("    {DIM}{}{PLAIN}", cut(&text, width - 4)));
    }
    lines
}

/// A signature in words.
pub(crate) fn signature(signature: model::Signature) -> &'static str {
    match signature {
        model::Signature::Metastable => "metastable",
        model::Signature::RetryAmplification => "retry amplification",
        model::Signature::DeviationFront => "deviation front",
        model::Signature::Hysteresis => "hysteresis",
        model::Signature::Manual => "manual",
        model::Signature::Outlier => "outlier",
        model::Signature::Inversion => "inversion",
    }
}

fn goodput(picture: &Picture<'_>, width: usize) -> String {
    let now = picture.goodput.last().copied().unwrap_or(0);
    let room = width.saturating_sub(42);
    let colour = if now * 10 >= picture.offered * 9 { GREEN } else { RED };
    format!(
        "goodput {colour}{now:>4}/s{PLAIN} of {:>4}/s offered  {}",
        picture.offered,
        sparkline(picture.goodput, room)
    )
}

/// At most `width` characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{EdgeView, Threshold};

    #[test]
    fn a_picture_shows_the_edge_beside_its_threshold_and_fits_the_width() {
        let edge = EdgeView {
            caller: "checkout".into(),
            callee: "inventory".into(),
            rate_rps: 120.4,
            amplification: 2.5,
            errors: Threshold { value: 0.5, normal: Some(0.0), limit: Some(0.02), frozen: true },
            p99_ms: Threshold { value: 900.0, normal: Some(20.0), limit: Some(45.0), frozen: true },
            ..EdgeView::default()
        };
        let graph = GraphView { edges: vec![edge], ..GraphView::default() };
        let picture = Picture {
            phase: "fault",
            at_s: 21,
            graph: &graph,
            findings: &[],
            commands: &[],
            events: &["x".repeat(300)],
            goodput: &[300, 290, 20],
            offered: 300,
            width: 100,
            height: 50,
        };
        let text = lines(&picture).join("\n");
        assert!(text.contains("checkout") && text.contains("inventory") && text.contains("900"), "{text}");
        assert!(text.contains("45"), "the learned threshold stands beside the value: {text}");
        let plain = strip(&text);
        assert!(plain.lines().all(|line| line.chars().count() <= 100), "{plain}");
    }

    fn strip(text: &str) -> String {
        let mut plain = String::new();
        let mut inside = false;
        for c in text.chars() {
            match (inside, c) {
                (false, '\x1b') => inside = true,
                (true, c) if c.is_ascii_alphabetic() => inside = false,
                (false, c) => plain.push(c),
                _ => {}
            }
        }
        plain
    }
}
