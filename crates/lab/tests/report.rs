//! The page opens without a network and shows what it must.

use lab::report::{Shown, html};
use lab::score::{Board, Ceiling, Entry, Scores};
use lab::{Policy, rival, scenario};

fn page() -> String {
    let scenario = scenario::builtin("retry-storm").expect("it comes with the program");
    let ceiling = Ceiling::new(&scenario, 1);
    let flown: Vec<_> = [Policy::None, Policy::GuardAlone, Policy::Stopbank, Policy::Clairvoyant]
        .into_iter()
        .map(|policy| {
            let run = rival::fly(&scenario, policy, 1, None);
            let scores = Scores::of(&scenario, &run, &ceiling);
            (policy, run, scores)
        })
        .collect();
    let entries = flown.iter().map(|(policy, _, scores)| Entry {
        scenario: scenario.name().to_owned(),
        policy: *policy,
        seed: 1,
        scores: scores.clone(),
    });
    let board = Board::new(&entries.collect::<Vec<_>>());
    let runs = flown.iter().map(|(policy, run, scores)| (*policy, run, scores)).collect();
    html("A storm & its <end>", "stopbank lab run retry-storm", &[Shown { scenario: &scenario, runs }], Some(&board))
}

#[test]
fn it_holds_no_address_of_anything_outside_and_shows_curves_graph_and_commands() {
    let page = page();
    for outside in ["http:", "https:", "//", "src=", "@import", "<script", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // what is referred to is in the page itself
    assert!(page.matches("url(").count() == page.matches("url(#tip)").count());
    assert!(page.matches("href=").count() == page.matches("href=\"#").count());
    assert!(page.contains("A storm &amp; its &lt;end&gt;") && !page.contains("its <end>"));
    for (what, at_least) in
        [("class=\"chart\"", 4), ("class=\"graph\"", 1), ("class=\"command\"", 2), ("class=\"node", 4)]
    {
        assert!(page.matches(what).count() >= at_least, "{what}: {}", page.matches(what).count());
    }
    for policy in ["none", "guard-alone", "stopbank", "clairvoyant", "offered"] {
        assert!(page.contains(&format!(">{policy}</text>")), "{policy} has its name at the end of its curve");
    }
    assert!(page.contains("prefers-color-scheme:dark"));
}

#[test]
fn the_same_runs_give_the_same_page() {
    assert_eq!(page(), page());
}
