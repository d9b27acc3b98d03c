//! The closed loop over many seeds, a line each: `cargo run --release -p lab --example seeds -- [TOPOLOGY] [SEEDS] [key=value…]`.
//!
//! TOPOLOGY is a file or a built-in name. Keys: `policy` (stopbank, none), `seconds`, `from` (the first seed), `delay_ms`,
//! `jitter_ms` (telemetry, reports), `command_ms`, `loss` (of commands), `telemetry_loss`, `stall_s`, `stall_ms`, `demo=1`
//! (the demo's settings), `tell=1` (everything that was said).
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use lab::tunnel::{Nobody, Pilot, Run, Stalls, Stopbank, StopbankConfig, TunnelConfig, Way, fly};
use lab::{Topology, builtin};
use model::FindingState;
use std::collections::BTreeMap;
use std::time::Instant;
use window::Grace;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plain: Vec<&String> = arguments.iter().filter(|text| !text.contains('=')).collect();
    let keys: BTreeMap<&str, &str> = arguments.iter().filter_map(|text| text.split_once('=')).collect();
    let number = |key: &str, default: f64| keys.get(key).map_or(default, |text| text.parse().expect("a number"));
    let name = plain.first().map_or("shop", |name| name.as_str());
    let seeds: u64 = plain.get(1).map_or(10, |text| text.parse().expect("how many seeds"));
    let topology = match std::fs::read_to_string(name) {
        Ok(text) => Topology::from_toml(&text).expect("a topology"),
        Err(_) => builtin(name).expect("a built-in topology"),
    };
    let telemetry = Way {
        delay_ms: number("delay_ms", 100.0) as u32,
        jitter_ms: number("jitter_ms", 50.0) as u32,
        loss: number("telemetry_loss", 0.0),
    };
    let commands = Way { delay_ms: number("command_ms", 100.0) as u32, jitter_ms: 50, loss: number("loss", 0.0) };
    let stalls = Stalls { every_s: number("stall_s", 0.0), length_ms: number("stall_ms", 2000.0) as u64 };
    let from = number("from", 1.0) as u64;
    let mut finals = Vec::new();
    for seed in from..from + seeds {
        let config = TunnelConfig {
            seed,
            seconds: number("seconds", 120.0) as u64,
            telemetry,
            reports: telemetry,
            commands,
            stalls,
            ..TunnelConfig::default()
        };
        let mut setup = StopbankConfig::default();
        if keys.contains_key("demo") {
            setup.grace = Grace::Fixed { grace_ms: 700 };
            setup.engine.warmup_windows = 12;
        }
        if keys.get("labels") == Some(&"stripped") {
            setup.window.labels = window::Labels::Stripped;
        }
        let (mut nobody, mut stopbank) = (Nobody, Stopbank::new(setup));
        let pilot: &mut dyn Pilot = if keys.get("policy") == Some(&"none") { &mut nobody } else { &mut stopbank };
        let begun = Instant::now();
        let run = fly(&topology, &config, pilot);
        finals.push(line(&run, begun.elapsed().as_secs_f64()));
        if keys.contains_key("tell") {
            tell(&run);
        }
    }
    finals.sort_by(f64::total_cmp);
    println!("share of healthy goodput at the end: worst {:.2}, median {:.2}", finals[0], finals[finals.len() / 2]);
}

fn line(run: &Run, took_s: f64) -> f64 {
    let (began_s, ended_s) = run.fault_ms.map_or((20, 20), |(a, b)| ((a / 1000) as usize, b.div_ceil(1000) as usize));
    let length = run.seconds.len();
    let healthy = run.goodput_rps(began_s.saturating_sub(10)..began_s);
    let back = (ended_s..length.saturating_sub(5))
        .find(|second| (*second..length - 5).all(|at| run.goodput_rps(at..at + 5) >= 0.9 * healthy));
    let worst = (began_s..length - 2).map(|at| run.goodput_rps(at..at + 3)).fold(f64::INFINITY, f64::min);
    let last = run.goodput_rps(length - 5..length) / healthy;
    let relapses = run.audit.iter().filter(|told| told.what.text.contains("came back while")).count();
    let opened = run.findings.iter().filter(|told| told.what.state == FindingState::Opened).count();
    let sheds: u64 = run.seconds.iter().map(|second| second.sheds.iter().sum::<u64>()).sum();
    println!(
        "seed {:>3}: healthy {healthy:.0}/s worst {worst:.0} end {:.2} back {} detect {} findings {opened} (false {}) \
         commands {} relapses {relapses} shed {sheds} last command {} s; {took_s:.2} s",
        run.seed,
        last,
        back.map_or("never".to_owned(), |at| format!("+{} s", at - ended_s)),
        run.detection.as_ref().map_or("never".to_owned(), |seen| format!("{:.1} s", seen.after_fault_ms as f64 / 1e3)),
        run.false_alarms,
        run.acts().count(),
        run.acts().last().map_or(0, |sent| sent.at_ms / 1000),
    );
    last
}

fn tell(run: &Run) {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for told in &run.audit {
        lines.push((told.at_ms, format!("{:?} {}: {}", told.what.kind, told.what.subject, told.what.text)));
    }
    for (at, second) in run.seconds.iter().enumerate() {
        let text = format!(
            "  offered {} good {} failed {} shed {} attempts {} wasted {} sheds {:?}",
            second.offered, second.good, second.failed, second.shed, second.attempts, second.wasted, second.sheds
        );
        lines.push(((at as u64 + 1) * 1000, text));
    }
    lines.sort_by_key(|line| line.0);
    for (at_ms, text) in lines {
        println!("{:>6.2} {text}", at_ms as f64 / 1000.0);
    }
}
