//! The dependency graph as the engine saw it at the moment of detection: callers left, callees right.

use super::number;
use super::svg::escape;
use crate::Policy;
use crate::tunnel::{Detection, Run};
use model::{EdgeView, GraphView, ServiceView};
use std::collections::BTreeMap;
use std::fmt::Write;

const BOX_WIDTH: f64 = 156.0;
const BOX_HEIGHT: f64 = 46.0;
const ROW: f64 = 70.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = 960.0;

/// The figure.
pub(super) fn figure(policy: Policy, detection: &Detection, view: &GraphView, run: &Run) -> String {
    let places = layout(view);
    let rows = places.values().map(|(_, y)| *y).fold(0.0, f64::max);
    let height = rows + BOX_HEIGHT + 14.0;
    let finding = run.findings.iter().find(|told| told.at_ms == detection.at_ms).map(|told| &told.what);
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure><figcaption>The graph as {} saw it when it first said something, {} s after the onset{}</figcaption>\
         <svg class=\"graph\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"dependency graph\">\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>",
        policy.as_str(),
        number(detection.after_fault_ms as f64 / 1000.0),
        finding.map_or(String::new(), |finding| format!(": <b>{}</b>", escape(&finding.summary)))
    );
    for edge in &view.edges {
        if let (Some(from), Some(to)) = (places.get(edge.caller.as_str()), places.get(edge.callee.as_str())) {
            out.push_str(&arrow(edge, *from, *to));
        }
    }
    let origin = finding.and_then(|finding| finding.origin.as_deref());
    for service in &view.services {
        if let Some(place) = places.get(service.name.as_str()) {
            out.push_str(&node(service, *place, origin == Some(service.name.as_str())));
        }
    }
    out.push_str("</svg><p class=\"quiet\">Red: deviates from what it learned as normal; thick frame: the likely origin. On the arrows: calls a second, calls per first attempt, the share that fails.</p></figure>");
    out
}

fn arrow(edge: &EdgeView, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    let (x1, y1, x2, y2) = (x1 + BOX_WIDTH, y1 + BOX_HEIGHT / 2.0, x2 - 3.0, y2 + BOX_HEIGHT / 2.0);
    let bent = (x2 - x1) / 2.0;
    let bad = edge.errors.limit.is_some_and(|limit| edge.errors.value > limit) || edge.amplification > 1.2;
    let class = if bad { "edge bad" } else { "edge" };
    // an arrow over a column passes below the row, not behind its boxes
    let down = if x2 - x1 > BOX_WIDTH * 1.5 { ROW * 0.66 } else { 0.0 };
    let (at_x, at_y) = match down > 0.0 {
        true => ((x1 + x2) / 2.0, (y1 + y2) / 2.0 + 0.75 * down + 12.0),
        // near the callee, where arrows from one caller have parted
        false => (x1 + (x2 - x1) * 0.55, y1 + (y2 - y1) * 0.6 - 6.0),
    };
    let (turn1, turn2) = (y1 + down, y2 + down);
    format!(
        "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"M{x1:.1} {y1:.1}C{:.1} {turn1:.1} {:.1} {turn2:.1} {x2:.1} {y2:.1}\"/>\
         <text class=\"edge-text\" x=\"{at_x:.1}\" y=\"{at_y:.1}\" text-anchor=\"middle\">{}/s ×{} {}%</text>",
        x1 + bent,
        x2 - bent,
        number(edge.rate_rps),
        number(edge.amplification.max(1.0)),
        number(edge.errors.value * 100.0)
    )
}

fn node(service: &ServiceView, (x, y): (f64, f64), origin: bool) -> String {
    let class = format!("node{}{}", if service.deviating { " bad" } else { "" }, if origin { " origin" } else { "" });
    let middle = x + BOX_WIDTH / 2.0;
    let facts = match service.rate_rps > 0.0 {
        true => format!(
            "{:.0}/s · p99 {:.0} ms · {:.1}% fail",
            service.rate_rps,
            service.p99_ms,
            service.error_share * 100.0
        ),
        false => "seen by its callers only".to_owned(),
    };
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <text class=\"node-name\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"node-text\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{facts}</text>",
        y + 19.0,
        escape(service.name.rsplit('/').next().unwrap_or(&service.name)),
        y + 36.0
    )
}

/// A column by the longest way from an entry, a row in the order of names.
fn layout(view: &GraphView) -> BTreeMap<&str, (f64, f64)> {
    let mut depth: BTreeMap<&str, usize> = view.services.iter().map(|service| (service.name.as_str(), 0)).collect();
    // one round for each service is enough where there is no cycle, and ends where there is one
    for _ in 0..view.services.len() {
        for edge in &view.edges {
            let Some(from) = depth.get(edge.caller.as_str()).copied() else { continue };
            if let Some(to) = depth.get_mut(edge.callee.as_str())
                && edge.caller != edge.callee
            {
                *to = (*to).max((from + 1).min(view.services.len()));
            }
        }
    }
    let columns = depth.values().copied().max().unwrap_or(0) + 1;
    let step = if columns > 1 { (WIDTH - BOX_WIDTH - 4.0) / (columns - 1) as f64 } else { 0.0 };
    let mut rows = vec![0usize; columns + 1];
    let mut places = BTreeMap::new();
    for (name, column) in depth {
        places.insert(name, (2.0 + column as f64 * step, TOP + rows[column] as f64 * ROW));
        rows[column] += 1;
    }
    // short columns stand in the middle
    let most = rows.iter().copied().max().unwrap_or(0);
    for (x, y) in places.values_mut() {
        let column = if step > 0.0 { ((*x - 2.0) / step).round() as usize } else { 0 };
        *y += (most - rows[column]) as f64 * ROW / 2.0;
    }
    places
}
