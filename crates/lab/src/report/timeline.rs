//! Every finding and every command of a run on its time line: a row for each knob of each target.

use super::chart::{self, LEFT, RIGHT, Span, WIDTH};
use super::svg::escape;
use crate::tunnel::{Run, Sent};
use crate::{Policy, Scenario};
use model::{FindingState, Knob, KnobKind, Setting};
use std::collections::BTreeMap;
use std::fmt::Write;

const ROW: f64 = 34.0;
const TOP: f64 = 18.0;
const TEXT_WIDTH: f64 = 6.1;

/// A stretch in which a knob stood at one value.
struct Held {
    from_s: f64,
    to_s: f64,
    setting: Setting,
    why: String,
}

/// The figure.
pub(super) fn figure(policy: Policy, scenario: &Scenario, run: &Run) -> String {
    let length_s = f64::from(scenario.terms.length_s);
    let span = Span {
        length_s,
        onset_s: scenario.onset_s(),
        ends_s: scenario.cause_ends_s(),
        found_s: run.detection.as_ref().map(|detection| detection.at_ms as f64 / 1000.0),
    };
    let knobs = knobs(run, length_s);
    let findings: Vec<_> = run.findings.iter().filter(|told| told.what.state != FindingState::Changed).collect();
    let rows = knobs.len() + 1;
    let bottom = TOP + rows as f64 * ROW;
    let height = bottom + 26.0;
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure><figcaption>What {} said and commanded</figcaption><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"commands over time\">",
        policy.as_str()
    );
    out.push_str(&chart::marks(&span, TOP, bottom));
    out.push_str(&chart::seconds(&span, bottom));
    out.push_str(&row_name("findings opened (filled) and closed (hollow)", 0));
    for told in &findings {
        let at = chart::x(told.at_ms as f64 / 1000.0, length_s);
        let class = if told.what.state == FindingState::Opened { "finding" } else { "finding closed" };
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"4.5\"><title>{:.1} s: {}</title></circle>",
            TOP + ROW - 9.0,
            told.at_ms as f64 / 1000.0,
            escape(&told.what.summary)
        );
    }
    for (row, ((target, knob), held)) in knobs.iter().enumerate() {
        out.push_str(&row_name(&format!("{target} · {}", knob.as_str()), row + 1));
        held.iter().for_each(|held| out.push_str(&bar(held, row + 1, length_s)));
    }
    out.push_str("</svg></figure>");
    out
}

fn row_name(name: &str, row: usize) -> String {
    let y = TOP + row as f64 * ROW;
    format!(
        "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text class=\"row\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        WIDTH - RIGHT,
        LEFT + 3.0,
        y + 12.0,
        escape(name)
    )
}

fn bar(held: &Held, row: usize, length_s: f64) -> String {
    let (x1, x2) = (chart::x(held.from_s, length_s), chart::x(held.to_s, length_s));
    let y = TOP + row as f64 * ROW + 16.0;
    let text = words(held.setting);
    let fits = text.len() as f64 * TEXT_WIDTH < x2 - x1 - 4.0;
    let shown = if fits {
        format!("<text class=\"held\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", x1 + 4.0, y + 11.0, escape(&text))
    } else {
        String::new()
    };
    format!(
        "<rect class=\"command\" x=\"{x1:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\"><title>{:.1} s to {:.1} s: {}. {}</title></rect>{shown}",
        (x2 - x1).max(3.0),
        held.from_s,
        held.to_s,
        escape(&text),
        escape(&held.why)
    )
}

/// Which knobs stood at what, and when.
fn knobs(run: &Run, length_s: f64) -> BTreeMap<(String, Knob), Vec<Held>> {
    let mut knobs: BTreeMap<(String, Knob), Vec<Held>> = BTreeMap::new();
    for sent in run.acts() {
        let command = &sent.command;
        let from_s = sent.at_ms as f64 / 1000.0;
        let held = knobs.entry((command.target.to_string(), command.knob)).or_default();
        // what comes next ends what was there
        if let Some(last) = held.last_mut() {
            last.to_s = last.to_s.min(from_s);
        }
        let Some(setting) = command.setting else { continue };
        let to_s = until_s(sent, length_s);
        match held.last_mut().filter(|last| last.setting == setting && last.to_s >= from_s) {
            Some(last) => last.to_s = to_s,
            None => held.push(Held { from_s, to_s, setting, why: command.reason.summary.clone() }),
        }
    }
    knobs
}

/// A lease ends by itself; a one-shot is a moment.
fn until_s(sent: &Sent, length_s: f64) -> f64 {
    let from_s = sent.at_ms as f64 / 1000.0;
    match sent.command.knob.kind() {
        KnobKind::OneShot => from_s,
        KnobKind::State | KnobKind::Ratchet => (from_s + f64::from(sent.command.ttl_ms) / 1000.0).min(length_s),
    }
}

fn words(setting: Setting) -> String {
    let percent = |permille: u16| format!("{}%", f64::from(permille) / 10.0);
    match setting {
        Setting::Admission { lowest, fraction_permille: 1000 } => format!("{} and above", lowest.as_str()),
        Setting::Admission { lowest, fraction_permille } => {
            format!("above {}, {} of it", lowest.as_str(), percent(fraction_permille))
        }
        Setting::QueueBound { work_ms } => format!("{work_ms} ms of work"),
        Setting::RetryBudget { ratio_permille } => format!("{} of first attempts", percent(ratio_permille)),
        Setting::Timeout { timeout_ms } => format!("{timeout_ms} ms"),
        Setting::Concurrency { limit } => format!("{limit} in flight"),
        Setting::Breaker { phase } => format!("{phase:?}").to_lowercase(),
        Setting::BreakerThreshold { failure_permille } => format!("opens at {} failures", percent(failure_permille)),
        Setting::KillSwitch { level } => format!("level {level}"),
        Setting::Purge { older_than_ms } => format!("older than {older_than_ms} ms"),
        Setting::Restart { at_once_percent } => format!("{at_once_percent}% at once"),
        Setting::Replicas { count } => format!("{count} instances"),
        Setting::Route { share_permille } => format!("{} of the usual", percent(share_permille)),
    }
}
