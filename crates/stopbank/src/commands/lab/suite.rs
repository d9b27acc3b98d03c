//! `stopbank lab suite`: every scenario, every policy, many seeds, on all cores. What is printed does not depend on which
//! core was faster.

use super::{board, from_file, write};
use crate::cli::LabSuite;
use crate::exit::Failure;
use crate::print::{self, Format, Progress};
use lab::report::{self, Shown};
use lab::rival::{self, Cure};
use lab::score::{Board, Ceiling, Entry, Scores};
use lab::tunnel::Run;
use lab::{Policy, Scenario};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

pub(super) fn run(arguments: &LabSuite, format: Format) -> Result<(), Failure> {
    let scenarios = scenarios(arguments.dir.as_deref())?;
    let policies: Vec<Policy> =
        if arguments.policies.is_empty() { Policy::all().collect() } else { arguments.policies.clone() };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = arguments.threads.unwrap_or(cores).max(1);
    let progress = Progress::new();
    let cures = cures(&scenarios, &policies, threads, &progress);
    let jobs: Vec<Job> = jobs(&scenarios, &policies, &cures, arguments.seeds);
    let runs = jobs.len() * policies.len();
    let keep = arguments.report.is_some();
    let flown = side_by_side(threads, &jobs, |done, job| {
        let name = job.scenario.name();
        progress.show(&format!("{} of {runs} runs · {name}", done * policies.len()));
        job.fly(keep)
    });
    progress.clear();
    let flown = by_policy(flown.into_iter().flatten().collect(), &scenarios, &policies);
    let entries: Vec<Entry> = flown.iter().map(|(entry, _)| entry.clone()).collect();
    let sums = Board::new(&entries);
    match format {
        Format::Text => print::line(&board::text(&sums))?,
        Format::Json => {
            for cell in sums.cells.iter().chain(&sums.overall) {
                print::json(&cell.to_json())?;
            }
        }
    }
    let command = command(arguments);
    if let Some(path) = &arguments.scoreboard {
        write(&path.with_extension("md"), &board::markdown(&sums, &scenarios, &command))?;
        write(&path.with_extension("json"), &board::json(&sums, &command)?)?;
    }
    if let Some(path) = &arguments.report {
        write(path, &page(&scenarios, &flown, &command, &sums))?;
    }
    Ok(())
}

/// A scenario with one seed, under all policies: they share its upper bound.
struct Job<'a> {
    scenario: &'a Scenario,
    policies: &'a [Policy],
    seed: u64,
    cure: Option<&'a Cure>,
}

/// What a run came to, and the run itself where it is wanted.
type Flown = (Entry, Option<Run>);

impl Job<'_> {
    fn fly(&self, keep: bool) -> Vec<Flown> {
        let ceiling = Ceiling::new(self.scenario, self.seed);
        let one = |policy: &Policy| {
            let run = rival::fly(self.scenario, *policy, self.seed, self.cure);
            let scores = Scores::of(self.scenario, &run, &ceiling);
            let entry = Entry { scenario: self.scenario.name().to_owned(), policy: *policy, seed: self.seed, scores };
            // the curves of a page are those of the first seed
            (entry, (keep && self.seed == 1).then_some(run))
        };
        self.policies.iter().map(one).collect()
    }
}

/// In the order of scenarios, then policies, then seeds.
fn by_policy(mut flown: Vec<Flown>, scenarios: &[Scenario], policies: &[Policy]) -> Vec<Flown> {
    let place = |entry: &Entry| {
        let scenario = scenarios.iter().position(|scenario| scenario.name() == entry.scenario);
        (scenario, policies.iter().position(|policy| *policy == entry.policy), entry.seed)
    };
    flown.sort_by_key(|(entry, _)| place(entry));
    flown
}

fn scenarios(dir: Option<&Path>) -> Result<Vec<Scenario>, Failure> {
    let Some(dir) = dir else {
        return Ok(lab::scenario::names().filter_map(lab::scenario::builtin).collect());
    };
    let unread = |error: std::io::Error| Failure::usage(format!("{}: {error}", dir.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::usage(format!("{}: there is no scenario (*.toml)", dir.display())));
    }
    paths.iter().map(|path| from_file(path)).collect()
}

/// What hindsight knows, once for each scenario.
fn cures(scenarios: &[Scenario], policies: &[Policy], threads: usize, progress: &Progress) -> Vec<Option<Cure>> {
    if !policies.contains(&Policy::Hindsight) {
        return vec![None; scenarios.len()];
    }
    side_by_side(threads, scenarios, |done, scenario| {
        progress.show(&format!("{done} of {} searches in hindsight · {}", scenarios.len(), scenario.name()));
        Some(rival::cure(scenario))
    })
}

fn jobs<'a>(scenarios: &'a [Scenario], policies: &'a [Policy], cures: &'a [Option<Cure>], seeds: u64) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for (scenario, cure) in scenarios.iter().zip(cures) {
        jobs.extend((1..=seeds).map(|seed| Job { scenario, policies, seed, cure: cure.as_ref() }));
    }
    jobs
}

/// Does `work` on all `items` with so many threads; what comes out is in the order of the items.
fn side_by_side<I: Sync, O: Send>(threads: usize, items: &[I], work: impl Fn(usize, &I) -> O + Sync) -> Vec<O> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let one_after_another = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { break };
            let out = work(place, item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, out));
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(one_after_another)));
        one_after_another();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, out)| out).collect()
}

fn page(scenarios: &[Scenario], flown: &[Flown], command: &str, sums: &Board) -> String {
    let shown: Vec<Shown<'_>> = scenarios
        .iter()
        .map(|scenario| {
            let own = flown.iter().filter(|(entry, _)| entry.scenario == scenario.name());
            let runs = own.filter_map(|(entry, run)| Some((entry.policy, run.as_ref()?, &entry.scores))).collect();
            Shown { scenario, runs }
        })
        .collect();
    report::html("Policies compared", command, &shown, Some(sums))
}

/// The command that makes the same again.
fn command(arguments: &LabSuite) -> String {
    let mut command = "stopbank lab suite".to_owned();
    if let Some(dir) = &arguments.dir {
        command.push_str(&format!(" {}", dir.display()));
    }
    if !arguments.policies.is_empty() {
        let names: Vec<&str> = arguments.policies.iter().map(|policy| policy.as_str()).collect();
        command.push_str(&format!(" --policies {}", names.join(",")));
    }
    command.push_str(&format!(" --seeds {}", arguments.seeds));
    if let Some(path) = &arguments.scoreboard {
        command.push_str(&format!(" --scoreboard {}", path.display()));
    }
    command
}
