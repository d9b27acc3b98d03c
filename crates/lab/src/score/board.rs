//! The scoreboard: scenario × policy, means over seeds, and the difference to the guard without an engine.

use super::{METRICS, Scores, Stat};
use crate::Policy;
use serde_json::{Map, Value, json};

/// A run's scores and where they belong.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The scenario's name.
    pub scenario: String,
    /// The policy.
    pub policy: Policy,
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub scores: Scores,
}

/// The means of a scenario under a policy.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The scenario's name; empty for the mean over all scenarios.
    pub scenario: String,
    /// The policy.
    pub policy: Policy,
    /// In the order of [`METRICS`].
    pub stats: Vec<Option<Stat>>,
    /// The difference to [`Policy::GuardAlone`] with the same seeds, where both have a value.
    pub to_guard: Vec<Option<Stat>>,
}

/// All cells, in the order of scenarios and policies.
#[derive(Clone, Debug)]
pub struct Board {
    /// Scenario by scenario.
    pub cells: Vec<Cell>,
    /// Each policy's mean over the scenarios' means.
    pub overall: Vec<Cell>,
}

impl Board {
    /// Sums up runs, which come scenario by scenario and policy by policy.
    pub fn new(entries: &[Entry]) -> Board {
        let mut cells: Vec<Cell> = Vec::new();
        for entry in entries {
            let known = cells.iter().any(|cell| cell.scenario == entry.scenario && cell.policy == entry.policy);
            if !known {
                cells.push(cell(entries, &entry.scenario, entry.policy));
            }
        }
        let overall = Policy::all().filter(|policy| cells.iter().any(|cell| cell.policy == *policy));
        let overall = overall.map(|policy| mean(&cells, policy)).collect();
        Board { cells, overall }
    }

    /// The cell of a scenario and a policy.
    pub fn cell(&self, scenario: &str, policy: Policy) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.scenario == scenario && cell.policy == policy)
    }
}

impl Cell {
    /// The mean of a score, by key.
    pub fn get(&self, key: &str) -> Option<Stat> {
        self.stats[place(key)?]
    }

    /// The difference of a score to the guard without an engine, by key.
    pub fn to_guard(&self, key: &str) -> Option<Stat> {
        self.to_guard[place(key)?]
    }

    /// The cell as JSON: keys of [`METRICS`], each with mean, half width of the interval and number of samples.
    pub fn to_json(&self) -> Value {
        let table = |stats: &[Option<Stat>]| -> Value {
            let pairs = METRICS.iter().zip(stats).filter_map(|(metric, stat)| Some((metric.key.to_owned(), (*stat)?)));
            let rounded = |stat: Stat| json!({ "mean": rounded(stat.mean), "ci95": rounded(stat.ci95), "n": stat.n });
            pairs.map(|(key, stat)| (key, rounded(stat))).collect::<Map<_, _>>().into()
        };
        json!({
            "scenario": self.scenario,
            "policy": self.policy.as_str(),
            "scores": table(&self.stats),
            "minus_guard_alone": table(&self.to_guard),
        })
    }
}

fn place(key: &str) -> Option<usize> {
    METRICS.iter().position(|metric| metric.key == key)
}

fn cell(entries: &[Entry], scenario: &str, policy: Policy) -> Cell {
    let own = || entries.iter().filter(|entry| entry.scenario == scenario && entry.policy == policy);
    let guard = |seed: u64| {
        let same = |other: &&Entry| other.policy == Policy::GuardAlone && other.seed == seed;
        entries.iter().filter(|entry| entry.scenario == scenario).find(same)
    };
    let places = 0..METRICS.len();
    let stats = places.clone().map(|place| Stat::of(own().filter_map(|entry| entry.scores.values[place])));
    let difference =
        |entry: &Entry, place: usize| Some(entry.scores.values[place]? - guard(entry.seed)?.scores.values[place]?);
    let to_guard = places.map(|place| Stat::of(own().filter_map(|entry| difference(entry, place))));
    Cell { scenario: scenario.to_owned(), policy, stats: stats.collect(), to_guard: to_guard.collect() }
}

fn mean(cells: &[Cell], policy: Policy) -> Cell {
    let own = || cells.iter().filter(|cell| cell.policy == policy);
    let over = |pick: &dyn Fn(&Cell) -> Option<Stat>| Stat::of(own().filter_map(|cell| Some(pick(cell)?.mean)));
    let places = 0..METRICS.len();
    Cell {
        scenario: String::new(),
        policy,
        stats: places.clone().map(|place| over(&|cell| cell.stats[place])).collect(),
        to_guard: places.map(|place| over(&|cell| cell.to_guard[place])).collect(),
    }
}

/// Four digits after the point are more than anybody needs, and the same on every machine.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
