//! The payment platform: shedding reporting and offers at the door keeps paying customers served.

use lab::{Second, World, WorldConfig, scenario};
use model::{Command, CommandId, Criticality, Mode, Reason, Setting, Target};

const SECOND_NS: u64 = 1_000_000_000;

/// The books from the first failure of the provider to the end.
fn run(seed: u64, lowest: Option<Criticality>) -> Second {
    let scenario = scenario::builtin("payment-provider").unwrap();
    let onset_s = scenario.onset_s() as u64;
    let config = WorldConfig { seed, start_unix_ns: 1_750_000_000 * SECOND_NS, obey: true };
    let mut world = World::new(scenario.topology.clone(), config);
    world.discard_spans();
    world.run_until((onset_s + 2) * SECOND_NS);
    if let Some(lowest) = lowest {
        let setting = Setting::Admission { lowest, fraction_permille: 1000 };
        let (id, knob, target) = (CommandId("test".to_owned()), setting.knob(), Target::service("api"));
        let (reason, setting) = (Reason::default(), Some(setting));
        let command = Command { id, sequence: 1, ttl_ms: 600_000, target, knob, setting, reason, mode: Mode::Act };
        world.command(&command, world.now_unix_ns() / 1_000_000);
    }
    world.run_until(u64::from(scenario.terms.length_s) * SECOND_NS);
    world.tally()[onset_s as usize..].iter().fold(Second::default(), |mut sum, second| {
        sum.add(second);
        sum
    })
}

#[test]
fn shedding_what_matters_least_keeps_payers_served() {
    let value = scenario::builtin("payment-provider").unwrap().terms.value;
    for seed in 1..=3 {
        let payers = |second: &Second| second.good_by[3] as f64 / second.offered_by[3] as f64;
        let (left, kept) = (run(seed, None), run(seed, Some(Criticality::Critical)));
        assert!(payers(&left) < 0.9 && payers(&kept) > 0.95, "seed {seed}: {} and {}", payers(&left), payers(&kept));
        // of those that matter only the few that would be too late behind the queue of the first two seconds
        assert!(kept.sheds[3] == 0 && kept.sheds[2] * 50 < kept.offered_by[2], "{kept:?}");
        assert!(kept.sheds[0] > 5000 && value.of_all(&kept.good_by) > 1.05 * value.of_all(&left.good_by));
    }
}
