//! The bar as a table, for a page of the documentation.

use super::{Bar, Lens, Sight, Wrong};
use std::fmt::Write;

/// One row for each lens, over all bars (seeds): the worst of each figure.
pub fn table(bars: &[Bar]) -> String {
    let mut out = String::from(
        "| lens | spans | false edges | worst rate, where not flagged | flagged | false alarms | seen after | commands | beyond plain |\n\
         | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |\n",
    );
    for lens in Lens::ALL {
        let sights: Vec<(&Bar, &Sight)> = bars.iter().filter_map(|bar| Some((bar, bar.sight(lens)?))).collect();
        if sights.is_empty() {
            continue;
        }
        let spans: u64 = sights.iter().map(|(_, sight)| sight.spans).sum();
        let shares = sights.iter().flat_map(|(bar, sight)| sight.false_edges(&bar.truth));
        let false_share = shares.map(|(_, share)| share).fold(0.0, f64::max);
        let (worst, flagged) = rates(&sights);
        let alarms: usize = sights.iter().map(|(_, sight)| sight.false_alarms.len()).sum();
        let seen: Vec<Option<u64>> = sights.iter().map(|(_, sight)| sight.detected_ms).collect();
        let commands = sights.iter().map(|(_, sight)| sight.commands.len()).max().unwrap_or(0);
        let beyond: usize = sights.iter().map(|(bar, _)| beyond(bar, lens)).sum();
        let row = [
            lens.to_string(),
            spans.to_string(),
            format!("{:.3} %", 100.0 * false_share),
            worst,
            flagged,
            alarms.to_string(),
            after(&seen),
            commands.to_string(),
            beyond.to_string(),
        ];
        writeln!(out, "| {} |", row.join(" | ")).expect("a String takes it");
    }
    out
}

/// The rate that is furthest off among edges that are not flagged, and how many are.
fn rates(sights: &[(&Bar, &Sight)]) -> (String, String) {
    let (mut worst, mut flagged, mut edges) = (None::<f64>, 0, 0);
    for (bar, sight) in sights {
        for (name, sent) in bar.truth.iter().filter(|(_, sent)| **sent >= 100.0) {
            edges += 1;
            let off = sight.ratio(name, *sent) - 1.0;
            if sight.is_flagged(name) {
                flagged += 1;
            } else if worst.is_none_or(|worst| off.abs() > worst.abs()) {
                worst = Some(off);
            }
        }
    }
    let worst = worst.map_or_else(|| "-".to_owned(), |off| format!("{:+.1} %", 100.0 * off));
    (worst, if flagged == 0 { "-".to_owned() } else { format!("{flagged} of {edges} edges") })
}

/// Commands that the plain lens does not produce.
fn beyond(bar: &Bar, lens: Lens) -> usize {
    bar.wrongs(lens).iter().filter(|wrong| matches!(wrong, Wrong::Command(_))).count()
}

/// The latest detection.
fn after(seen: &[Option<u64>]) -> String {
    match seen.iter().copied().collect::<Option<Vec<u64>>>() {
        Some(all) => format!("{:.1} s", all.into_iter().max().unwrap_or(0) as f64 / 1000.0),
        None => "never".to_owned(),
    }
}
