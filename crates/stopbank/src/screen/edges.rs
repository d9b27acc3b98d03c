//! The graph as a table: each edge's rate, errors and p99 beside its learned threshold.

use super::{BOLD, DIM, PLAIN, RED, YELLOW, cut};
use model::{EdgeView, GraphView, Threshold};

/// Width of the columns behind the edge's name.
const COLUMNS: usize = 59;

/// The head and one line an edge.
pub(super) fn table(graph: &GraphView, width: usize) -> Vec<String> {
    let room = width.saturating_sub(COLUMNS).clamp(20, 42);
    let mut lines = vec![format!(
        "{BOLD}{:<room$} {:>8} {:>6} {:>8} {:>8}  {:>9} {:>9}{PLAIN}",
        "caller → callee", "calls/s", "tries", "errors", "limit", "p99 ms", "limit"
    )];
    if graph.edges.is_empty() {
        lines.push(format!("{DIM}  no edge yet{PLAIN}"));
    }
    lines.extend(graph.edges.iter().map(|edge| line(edge, room)));
    lines
}

/// From this share on it is said that messages are not seen to be taken.
const UNTAKEN_SHOWN: f64 = 0.05;

fn line(edge: &EdgeView, room: usize) -> String {
    let name = cut(&format!("{} → {}", edge.caller, edge.callee), room);
    let (errors, errors_limit) = cells(&edge.errors, 100.0, "%");
    let (p99, p99_limit) = cells(&edge.p99_ms, 1.0, "");
    let tries = if edge.amplification > 1.2 {
        format!("{RED}{:>6.2}{PLAIN}", edge.amplification)
    } else {
        format!("{:>6.2}", edge.amplification)
    };
    let mark = match edge {
        EdgeView { biased: true, .. } => format!("{YELLOW} biased{PLAIN}"),
        EdgeView { untaken_share, .. } if *untaken_share > UNTAKEN_SHOWN => {
            format!("{YELLOW} {:.0}% not seen taken{PLAIN}", untaken_share * 100.0)
        }
        _ => String::new(),
    };
    format!("{name:<room$} {:>8.1} {tries} {errors} {errors_limit}  {p99} {p99_limit}{mark}", edge.rate_rps)
}

/// The value, red where it is over its limit, and the limit, or how far learning is.
fn cells(threshold: &Threshold, scale: f64, unit: &str) -> (String, String) {
    let wide = if unit.is_empty() { 9 } else { 8 };
    let value = format!("{:>wide$}", format!("{:.1}{unit}", threshold.value * scale));
    let over = threshold.limit.is_some_and(|limit| threshold.value > limit);
    let value = if over { format!("{RED}{value}{PLAIN}") } else { value };
    let limit = threshold.limit.map_or_else(|| "learning".to_owned(), |limit| format!("{:.1}{unit}", limit * scale));
    let frozen = if threshold.frozen { YELLOW } else { DIM };
    (value, format!("{frozen}{limit:>wide$}{PLAIN}"))
}
