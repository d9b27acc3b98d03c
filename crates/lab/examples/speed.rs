//! How fast the simulator and the generator are: `cargo run --release -p lab --example speed`.
//! Seconds are those of the processor where Linux tells them, so that a busy machine does not blur them.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use lab::generate::{Generator, Rate};
use lab::tunnel::{Nobody, Stopbank, StopbankConfig, TunnelConfig, fly};
use lab::{World, WorldConfig, builtin, scenario};
use std::time::Instant;
use telemetry::Encoding;

const SECOND_NS: u64 = 1_000_000_000;
const START_NS: u64 = 1_750_000_000 * SECOND_NS;

/// Processor seconds of this process, or wall seconds.
struct Clock {
    wall: Instant,
    processor_ns: Option<u64>,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), processor_ns: processor_ns() }
    }

    fn seconds(&self) -> f64 {
        match (self.processor_ns, processor_ns()) {
            (Some(from), Some(to)) => (to - from) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn processor_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn main() {
    let twelve = || builtin("twelve").expect("it comes with the program");
    for with_spans in [false, true] {
        let config = WorldConfig { seed: 1, start_unix_ns: START_NS, obey: true };
        let mut world = World::new(twelve(), config);
        if !with_spans {
            world.discard_spans();
        }
        let (begun, mut spans) = (Clock::start(), 0);
        for second in 1..=600 {
            world.run_until(second * SECOND_NS);
            spans += world.take_exports().iter().map(lab::Export::span_count).sum::<usize>();
            world.take_reports();
        }
        let total = world.total();
        println!(
            "10 minutes of 12 services at 2,000 requests/s: {:.1} s, {} requests, {} calls, {spans} spans",
            begun.seconds(),
            total.offered,
            total.attempts
        );
    }
    scenarios();
    for (name, encoding) in [("protobuf", Encoding::OtlpProto), ("json", Encoding::OtlpJson)] {
        let shop = builtin("shop").expect("it comes with the program");
        let mut generator = Generator::new(&shop, 1, Rate::Max, encoding, START_NS);
        let (mut record, mut spans, mut bytes) = (Vec::new(), 0u64, 0u64);
        let begun = Clock::start();
        while spans < 10_000_000 {
            let Some(meta) = generator.next_record(&mut record) else { break };
            spans += u64::from(meta.spans);
            bytes += record.len() as u64;
        }
        let took = begun.seconds();
        println!(
            "replay, {name}: {:.2} M spans/s, {:.0} bytes a span",
            spans as f64 / took / 1e6,
            bytes as f64 / spans as f64
        );
    }
}

/// What one run of a scenario costs: the simulated fleet alone, and with the pipeline that reads its bytes and steers it.
fn scenarios() {
    for steered in [false, true] {
        let mut seconds: Vec<(f64, &str)> = Vec::new();
        for name in scenario::names() {
            let scenario = scenario::builtin(name).expect("it comes with the program");
            let config = TunnelConfig { seconds: u64::from(scenario.terms.length_s), ..TunnelConfig::default() };
            let begun = Clock::start();
            if steered {
                fly(&scenario.topology, &config, &mut Stopbank::new(StopbankConfig::default()));
            } else {
                fly(&scenario.topology, &config, &mut Nobody);
            }
            seconds.push((begun.seconds(), name));
        }
        seconds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sum: f64 = seconds.iter().map(|(seconds, _)| seconds).sum();
        let (most, which) = seconds[seconds.len() - 1];
        let who = if steered { "steered by the real pipeline" } else { "alone" };
        println!(
            "{} scenarios, {who}: {:.2} s a run, at most {most:.2} s ({which})",
            seconds.len(),
            sum / seconds.len() as f64
        );
    }
}
