//! What a simulated fleet does when it is overloaded, broken or watched badly: each feature of the world by itself.
#![allow(clippy::disallowed_methods)] // a test computes what it expects as it likes
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod calls;
mod control;
mod faults;
mod instances;
mod load;
mod telemetry;

use lab::{Second, Topology, World, WorldConfig};
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
const START_UNIX_NS: u64 = 1_750_000_000 * SECOND_NS;

/// A world whose spans nobody reads.
fn world(toml: &str, seed: u64) -> World {
    let mut world = spanning(toml, seed);
    world.discard_spans();
    world
}

/// A world whose spans are kept.
fn spanning(toml: &str, seed: u64) -> World {
    let topology = Topology::from_toml(toml).unwrap_or_else(|error| panic!("{error}"));
    World::new(topology, WorldConfig { seed, start_unix_ns: START_UNIX_NS, obey: true })
}

/// Lets the world run to a second of its time, and gives its books since the last time.
fn until(world: &mut World, second: u64) -> Second {
    let from = world.tally().len();
    world.run_until(second * SECOND_NS);
    world.tally()[from..].iter().fold(Second::default(), |mut sum, second| {
        sum.add(second);
        sum
    })
}

/// How many requests each service has let in since the last time, by its guards' reports.
fn admitted(world: &mut World) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for report in world.take_reports() {
        *counts.entry(report.service).or_default() +=
            report.admitted.iter().map(|count| u64::from(*count)).sum::<u64>();
    }
    counts
}

/// A client and a front that calls `back`; what stands for `{…}` is the test's.
fn pair(rate_rps: u32, call: &str, back: &str, rest: &str) -> String {
    format!(
        r#"
        name = "pair"
        [[client]]
        name = "all"
        to = "front"
        rate_rps = {rate_rps}
        timeout_ms = 2000
        [[service]]
        name = "front"
        workers = 2000
        holds = "work"
        [[service.operation]]
        name = "GET /"
        mean_us = 100
        [[service.operation.call]]
        to = "back"
        timeout_ms = 500
        {call}
        [[service]]
        name = "back"
        {back}
        {rest}
        "#
    )
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
