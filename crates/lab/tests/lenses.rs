//! One fleet, healthy and then in a cascade, through twelve lenses: nobody is seen who does not exist, rates are right or
//! flagged, and no lens produces a command that the plain one does not, or one that comes and goes.
//!
//! `stopbank lab lenses --seeds 10` tries more of them.

use lab::lens::{BarConfig, look};
use lab::{Lens, builtin};

/// Each draws other clocks, other deployments and other services without spans.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

#[test]
fn every_lens_shows_the_same_fleet_or_says_that_it_cannot() {
    let shop = builtin("shop").expect("it comes with the program");
    for seed in SEEDS {
        let bar = look(&shop, &BarConfig { seed, ..BarConfig::default() });
        let wrongs: Vec<_> = Lens::ALL.map(|lens| (lens, bar.wrongs(lens))).into_iter().collect();
        assert!(wrongs.iter().all(|(_, wrongs)| wrongs.is_empty()), "seed {seed}: {wrongs:#?}");
        let sight = |lens| bar.sight(lens).expect("all lenses were asked for");
        let plain = sight(Lens::Plain);
        assert!(plain.detected_ms.is_some_and(|after_ms| after_ms < 6_000) && plain.commands.len() >= 4, "seed {seed}");
        // what cannot be reconciled is shown, marked, and acted on by nobody
        for lens in [Lens::Tail, Lens::Errors] {
            let seen = sight(lens);
            assert!(seen.edges.len() >= plain.edges.len() - 1 && seen.edges.values().all(|edge| edge.biased), "{lens}");
            assert!(seen.commands.is_empty() && seen.detected_ms.is_none(), "{lens}");
        }
        // who comes late is counted once, and lets nobody enter where nobody enters
        let late = sight(Lens::Late);
        assert_eq!(late.entries, plain.entries, "seed {seed}");
        for (edge, sent) in &bar.truth {
            let ratio = late.ratio(edge, *sent);
            // a message counts at its destination until a first consumer was seen, and with its consumer, which may be 30 s late
            let most = if edge.1 == "notification" { 2.0 } else { 1.0 };
            assert!((1.0..=most).contains(&ratio), "seed {seed}: {edge:?} {ratio}");
        }
        // the cascade is seen through every lens that does not bias or delay
        for lens in [Lens::Mesh, Lens::Head, Lens::Skewed, Lens::Missing, Lens::Messages, Lens::Renamed, Lens::Names] {
            assert!(
                sight(lens).detected_ms.is_some_and(|after_ms| after_ms < 12_000),
                "{lens}: {:?}",
                sight(lens).detected_ms
            );
        }
    }
}

#[test]
fn a_lens_is_pure_and_has_a_name() {
    for lens in Lens::ALL {
        assert_eq!(Lens::parse(lens.as_str()), Some(lens));
        assert!(Lens::ALL.iter().filter(|other| other.as_str() == lens.as_str()).count() == 1);
    }
    assert_eq!(Lens::parse("rose-tinted"), None);
}
