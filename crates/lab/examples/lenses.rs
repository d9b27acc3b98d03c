//! The bar of the lenses in numbers, for those who work on it: `cargo run --example lenses -- [SEED [LENS…]]`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use lab::lens::{BarConfig, look};
use lab::{Lens, builtin};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let lenses: Vec<Lens> = arguments.filter_map(|name| Lens::parse(&name)).collect();
    let lenses = if lenses.is_empty() { Lens::ALL.to_vec() } else { lenses };
    let shop = builtin("shop").expect("it comes with the program");
    let bar = look(&shop, &BarConfig { seed, lenses, ..BarConfig::default() });
    for sight in &bar.sights {
        println!(
            "== {} spans {} coverage {:.3} detected {:?} false alarms {}",
            sight.lens,
            sight.spans,
            sight.coverage,
            sight.detected_ms,
            sight.false_alarms.len()
        );
        for (edge, sent) in &bar.truth {
            let seen = sight.edges.get(edge).copied().unwrap_or_default();
            println!(
                "   {:40} {:8.0} ratio {:.3} retries {:.0} failed {:.0} {}",
                format!("{}->{}", edge.0, edge.1),
                sent,
                sight.ratio(edge, *sent),
                seen.retries,
                seen.failed,
                if seen.biased { "biased" } else { "" }
            );
        }
        for (edge, share) in sight.false_edges(&bar.truth) {
            println!("   false {}->{} {:.5}", edge.0, edge.1, share);
        }
        let commands: Vec<String> =
            sight.commands.iter().map(|(target, knob)| format!("{target} {}", knob.as_str())).collect();
        println!("   commands {commands:?}");
        for wrong in bar.wrongs(sight.lens) {
            println!("   WRONG {wrong:?}");
        }
    }
}
