//! The page opens without a network and shows what it must.

use lab::report::{Shown, html};
use lab::score::{Board, Ceiling, Entry, Scores};
use lab::{Policy, rival, scenario};
use std::process::Command;

/// Counts what a browser has drawn: curves with a length, a width and a colour. The pages themselves have no scripts.
const PROBE: &str = "<script>const drawn = [...document.querySelectorAll('path.line')].filter(path => path.getTotalLength() > 100 \
    && path.getBoundingClientRect().width > 100 && getComputedStyle(path).stroke !== 'none'); const names = drawn.map(path => \
    path.querySelector('title').textContent); document.title = 'drawn: ' + [...new Set(names)].sort().join(' ');</script>";

fn page() -> String {
    let scenario = scenario::builtin("retry-storm").expect("it comes with the program");
    let ceiling = Ceiling::new(&scenario, 1);
    let flown: Vec<_> = [Policy::None, Policy::GuardAlone, Policy::Commanded, Policy::Clairvoyant]
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
    for policy in ["none", "guard-alone", "commanded", "clairvoyant", "offered"] {
        assert!(page.contains(&format!(">{policy}</text>")), "{policy} has its name at the end of its curve");
    }
    assert!(page.contains("prefers-color-scheme:dark"));
}

#[test]
fn the_same_runs_give_the_same_page() {
    assert_eq!(page(), page());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a browser opens files")]
fn a_real_browser_draws_a_curve_of_every_policy() {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let Some(browser) = found else {
        eprintln!("SKIPPED (no chromium): this test needs a browser");
        return;
    };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join("page.html");
    std::fs::write(&path, page() + PROBE).expect("the folder is writable");
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let mut open = Command::new(browser);
    open.args(["--headless", "--no-sandbox", "--disable-gpu", &profile, "--dump-dom"]);
    let seen = open.arg(format!("file://{}", path.display())).output().expect("the browser starts");
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("<title>drawn: clairvoyant commanded guard-alone none offered</title>"), "{:.300}", seen);
}
