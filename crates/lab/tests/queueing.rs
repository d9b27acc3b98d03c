//! Waits and queue lengths of the simulated queue against theory (Erlang C), within confidence intervals.
#![allow(clippy::disallowed_methods)] // a test reads files and computes what it expects as it likes

use lab::{Topology, World, WorldConfig};

const SECOND_NS: u64 = 1_000_000_000;

/// One service with `workers` exponential workers of 10 ms and Poisson arrivals.
fn station(workers: u32, rate_rps: f64) -> Topology {
    let text = format!(
        r#"
        name = "station"
        network_latency_us = 0
        [[client]]
        name = "all"
        to = "station"
        rate_rps = {rate_rps}
        timeout_ms = 3600000
        [[service]]
        name = "station"
        workers = {workers}
        [[service.operation]]
        name = "GET /"
        mean_us = 10000
        distribution = "exponential"
        "#
    );
    Topology::from_toml(&text).expect("the topology is right")
}

/// The mean number that waits and that is worked on, sampled every 50 ms for `seconds` after a warm-up.
fn measure(workers: u32, rate_rps: f64, seed: u64, seconds: u64) -> (f64, f64) {
    let mut world = World::new(station(workers, rate_rps), WorldConfig { seed, ..WorldConfig::default() });
    world.discard_spans();
    world.run_until(30 * SECOND_NS);
    let samples = seconds * 20;
    let (mut queued, mut busy) = (0.0, 0.0);
    for sample in 1..=samples {
        world.run_until(30 * SECOND_NS + sample * SECOND_NS / 20);
        let (_, waiting, working) = world.load().next().expect("there is a service");
        queued += waiting as f64;
        busy += f64::from(working);
        world.take_reports();
    }
    (queued / samples as f64, busy / samples as f64)
}

/// The mean length of an M/M/c queue, by Erlang's C formula.
fn erlang_queue(workers: u32, load: f64) -> f64 {
    let c = f64::from(workers);
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..workers {
        term *= load / f64::from(k);
        sum += term;
    }
    let last = term * load / c * c / (c - load);
    let waits = last / (sum + last);
    waits * load / (c - load)
}

#[test]
fn erlang_c_is_the_known_one() {
    // M/M/1 at 0.8: L_q = 0.8² / 0.2
    assert!((erlang_queue(1, 0.8) - 3.2).abs() < 1e-9);
    // M/M/2 at load 1.5: L_q = 1.9286 (Gross and Harris)
    assert!((erlang_queue(2, 1.5) - 1.928_571).abs() < 1e-4);
}

#[test]
fn queues_are_as_long_as_theory_says() {
    for (workers, rate_rps) in [(1, 50.0), (1, 80.0), (4, 320.0), (16, 1400.0)] {
        let load = rate_rps * 0.010;
        let runs: Vec<(f64, f64)> = (1..=8).map(|seed| measure(workers, rate_rps, seed, 300)).collect();
        for (what, values, theory) in [
            ("queue", runs.iter().map(|run| run.0).collect::<Vec<_>>(), erlang_queue(workers, load)),
            ("busy", runs.iter().map(|run| run.1).collect(), load),
        ] {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            // Student's t at 99.9 % with 7 degrees of freedom, and 1 % for the run-in
            let half = 5.41 * deviation / n.sqrt() + 0.01 * theory;
            assert!(
                (mean - theory).abs() < half,
                "{what} of {workers} workers at {rate_rps}/s: {mean} ± {half}, theory {theory}"
            );
        }
    }
}

#[test]
fn waits_follow_littles_law() {
    // W_q = L_q / λ; the report's queue delay is the head's wait so far, so measure waits by spans instead: all of the
    // time between arrival and end is the queue's and the worker's
    let rate_rps = 80.0;
    let mut world = World::new(station(1, rate_rps), WorldConfig { seed: 3, ..WorldConfig::default() });
    world.discard_spans();
    let mut inside = 0.0;
    let samples = 40_000;
    for sample in 1..=samples {
        world.run_until(sample * SECOND_NS / 20);
        inside += world.in_flight() as f64;
        world.take_reports();
    }
    let mean_inside = inside / samples as f64;
    let throughput = world.total().good as f64 / (samples as f64 / 20.0);
    let stay_s = mean_inside / throughput;
    // M/M/1: W = 1 / (μ - λ)
    let theory_s = 1.0 / (100.0 - rate_rps);
    assert!((stay_s / theory_s - 1.0).abs() < 0.08, "{stay_s} s, theory {theory_s} s");
}
