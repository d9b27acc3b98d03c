//! Waits and queue lengths of the simulated queue against theory (Erlang C), within confidence intervals.
#![allow(clippy::disallowed_methods)] // a test reads files and computes what it expects as it likes

use lab::{Topology, World, WorldConfig};
use model::SpanKind;
use std::collections::BTreeMap;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

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

/// The mean length of an M/M/c queue.
fn erlang_queue(workers: u32, load: f64) -> f64 {
    erlang_c(workers, load) * load / (f64::from(workers) - load)
}

/// The probability that a request has to wait, by Erlang's C formula.
fn erlang_c(workers: u32, load: f64) -> f64 {
    let c = f64::from(workers);
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..workers {
        term *= load / f64::from(k);
        sum += term;
    }
    let last = term * load / c * c / (c - load);
    last / (sum + last)
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

/// How long each request waited at a station behind a front that costs nothing, in seconds: the client-minus-server gap
/// that telemetry sees.
fn waits(workers: u32, rate_rps: f64, law: &str, seed: u64, seconds: u64) -> Vec<f64> {
    let text = format!(
        r#"
        name = "station"
        network_latency_us = 0
        [[client]]
        name = "all"
        to = "front"
        rate_rps = {rate_rps}
        timeout_ms = 3600000
        [[service]]
        name = "front"
        workers = 1000000
        holds = "work"
        [[service.operation]]
        name = "GET /"
        mean_us = 1
        distribution = "constant"
        [[service.operation.call]]
        to = "station"
        timeout_ms = 3600000
        [[service]]
        name = "station"
        workers = {workers}
        [[service.operation]]
        name = "GET /"
        mean_us = 10000
        {law}
        "#
    );
    let topology = Topology::from_toml(&text).expect("the topology is right");
    let mut world = World::new(topology, WorldConfig { seed, ..WorldConfig::default() });
    world.run_until(30 * SECOND_NS);
    world.take_exports();
    let mut reader = Reader::new(ReaderConfig::default());
    let (mut asked, mut begun) = (BTreeMap::new(), BTreeMap::new());
    for second in 31..=30 + seconds {
        world.run_until(second * SECOND_NS);
        world.take_reports();
        for export in world.take_exports() {
            let (mut payload, mut facts) = (Vec::new(), Facts::default());
            export.encode_into(Encoding::OtlpProto, &mut payload);
            reader.read(Encoding::OtlpProto, &payload, &mut facts).expect("our own records are readable");
            for span in facts.spans {
                match span.kind {
                    SpanKind::Client => drop(asked.insert(span.id, span.start_ns)),
                    _ => drop(begun.insert(span.parent, span.start_ns)),
                }
            }
        }
    }
    let waits = asked.iter().filter_map(|(id, asked_ns)| Some((begun.get(id)? - asked_ns) as f64 / 1e9));
    waits.collect()
}

#[test]
fn waits_are_distributed_as_erlang_c_says() {
    const EXPONENTIAL: &str = "distribution = \"exponential\"";
    for (workers, rate_rps) in [(1u32, 70.0), (4, 320.0)] {
        let (load, drain) = (rate_rps * 0.010, f64::from(workers) / 0.010 - rate_rps);
        let mut all = Vec::new();
        for seed in 1..=4 {
            all.extend(waits(workers, rate_rps, EXPONENTIAL, seed, 150));
        }
        let share = |longer_s: f64| all.iter().filter(|wait| **wait > longer_s).count() as f64 / all.len() as f64;
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let theory = erlang_c(workers, load) / drain;
        assert!((mean / theory - 1.0).abs() < 0.08, "{workers} workers: mean wait {mean} s, theory {theory} s");
        // P(W > t) = C(c, a) e^{-(cμ - λ) t}
        for t in [1e-6, 0.01, 0.03] {
            let theory = erlang_c(workers, load) * (-drain * t).exp();
            assert!(
                (share(t) - theory).abs() < 0.03,
                "{workers} workers: P(W > {t} s) is {}, theory {theory}",
                share(t)
            );
        }
    }
}

#[test]
fn waits_grow_with_the_variation_of_work_as_pollaczek_and_khinchine_say() {
    for cv in [0.0, 2.0] {
        let mut all = Vec::new();
        for seed in 1..=6 {
            all.extend(waits(1, 60.0, &format!("cv = {cv:.1}"), seed, 150));
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        // W = ρ S (1 + cv²) / (2 (1 - ρ))
        let theory = 0.6 * 0.010 * (1.0 + cv * cv) / (2.0 * 0.4);
        assert!((mean / theory - 1.0).abs() < 0.10, "cv {cv}: mean wait {mean} s, theory {theory} s");
    }
}
