//! Tables of scores.

use super::{class, number, write_to};
use crate::Policy;
use crate::score::{Better, Board, Cell, METRICS, Metric, Scores, Stat};
use crate::tunnel::Run;

/// What the tables show; the JSON has everything.
const SHOWN: [&str; 12] = [
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
    "reversals_per_knob",
    "false_alarms_per_day",
];

/// All policies over all scenarios.
pub(super) fn overall(board: &Board) -> String {
    let mut out = String::from(
        "<section><h2>All scenarios</h2><p class=\"quiet\">Means over scenarios of means over seeds; in small print the difference to guard-alone, bold where its 95 % interval over scenarios leaves out zero.</p>",
    );
    out.push_str(&head());
    board.overall.iter().for_each(|cell| out.push_str(&row(cell)));
    out.push_str("</tbody></table></div></section>");
    out
}

/// One scenario: means over seeds where there are some, else the one run.
pub(super) fn scores(scenario: &str, runs: &[(Policy, &Run, &Scores)], board: Option<&Board>) -> String {
    let mut out = head();
    for (policy, _, scores) in runs {
        match board.and_then(|board| board.cell(scenario, *policy)) {
            Some(cell) => out.push_str(&row(cell)),
            None => {
                let stats = scores.values.iter().map(|value| Stat::of(*value)).collect();
                let none = vec![None; METRICS.len()];
                out.push_str(&row(&Cell { scenario: scenario.to_owned(), policy: *policy, stats, to_guard: none }));
            }
        }
    }
    out.push_str("</tbody></table></div>");
    out
}

fn shown() -> impl Iterator<Item = (usize, &'static Metric)> {
    let place = |key: &&str| METRICS.iter().position(|metric| metric.key == *key);
    SHOWN.iter().filter_map(move |key| place(key).map(|place| (place, &METRICS[place])))
}

fn head() -> String {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr><th>policy</th>");
    for (_, metric) in shown() {
        write_to(&mut out, format_args!("<th title=\"{}\">{}</th>", metric.about, metric.key.replace('_', " ")));
    }
    out.push_str("</tr></thead><tbody>");
    out
}

fn row(cell: &Cell) -> String {
    let (class, name) = (class(cell.policy), cell.policy.as_str());
    let mut out = format!("<tr class=\"{class}\"><th title=\"{}\">{name}</th>", cell.policy.about());
    for (place, metric) in shown() {
        let Some(stat) = cell.stats[place] else {
            out.push_str("<td class=\"quiet\">–</td>");
            continue;
        };
        write_to(&mut out, format_args!("<td>{}", number(stat.mean)));
        if stat.n > 1 && stat.ci95 > 0.0 {
            write_to(&mut out, format_args!("<span class=\"quiet\"> ±{}</span>", number(stat.ci95)));
        }
        if let Some(difference) = cell.to_guard[place].filter(|_| cell.policy != Policy::GuardAlone) {
            write_to(
                &mut out,
                format_args!(
                    "<br><small class=\"{}\">{}{}</small>",
                    judged(metric, &difference),
                    sign(difference.mean),
                    number(difference.mean)
                ),
            );
        }
        out.push_str("</td>");
    }
    out.push_str("</tr>");
    out
}

fn sign(value: f64) -> &'static str {
    if value >= 0.0 { "+" } else { "" }
}

fn judged(metric: &Metric, difference: &Stat) -> &'static str {
    match (metric.better, difference.mean > 0.0, difference.is_clear()) {
        (Better::Neither, ..) | (_, _, false) => "same",
        (Better::Higher, true, _) | (Better::Lower, false, _) => "better",
        _ => "worse",
    }
}
