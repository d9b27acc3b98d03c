//! A quick look at how policies fare: `cargo run --release -p lab --example board -- 3 [scenario…]` (seeds, scenarios).
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use lab::score::{Ceiling, Scores};
use lab::{Policy, rival, scenario};
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seeds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let wanted: Vec<String> = arguments.collect();
    for name in scenario::names().filter(|name| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)) {
        let scenario = scenario::builtin(name).expect("it comes with the program");
        println!("{name}");
        for policy in Policy::all() {
            let begun = Instant::now();
            let cure = (policy == Policy::Hindsight).then(|| rival::cure(&scenario));
            let mut sums = [0.0; 7];
            let keys = ["value_share", "good_critical_plus", "goodput_rps", "bad_s", "leave_s", "harm", "commands"];
            for seed in 1..=seeds {
                let run = rival::fly(&scenario, policy, seed, cure.as_ref());
                let scores = Scores::of(&scenario, &run, &Ceiling::new(&scenario, seed));
                for (sum, key) in sums.iter_mut().zip(keys) {
                    *sum += scores.get(key).unwrap_or(f64::NAN) / seeds as f64;
                }
            }
            print!("  {:12}", policy.as_str());
            sums.iter().for_each(|sum| print!(" {sum:9.3}"));
            println!(
                "  {:.2} s  {:?}",
                begun.elapsed().as_secs_f64() / seeds as f64,
                cure.map(|cure| format!("{cure:?}"))
            );
        }
    }
}
