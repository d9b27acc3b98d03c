//! Samplers with the services' own metrics beside the spans: rates are those that the services counted; where spans are a
//! share of the calls and nothing says so, the cascade is seen and met as it is without a sampler; and no sampler brings a
//! finding or a command that its absence does not.
#![allow(missing_docs)]

use engine::Effect;
use lab::lens::{Counter, Glass};
use lab::tunnel::{Stopbank, StopbankConfig};
use lab::{Lens, Topology, World, WorldConfig, builtin};
use model::{CountedBy, FindingState, Knob, Target};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::Encoding;

const MS: u64 = 1_000_000;
const START_MS: u64 = 1_750_000_000_000;
const HEALTHY_S: u64 = 180;
const SECONDS: u64 = 210;
const STEP_MS: u64 = 250;
/// Rates are averaged over so long before the fault.
const MEAN_S: u64 = 60;
const SEED: u64 = 1;
/// The share of the unmarked head sampler.
const KEPT: f64 = 0.1;

/// A sum, and of how many.
type Sum = (f64, u32);

struct Look {
    glass: Glass,
    witnessed: bool,
    pipeline: Stopbank,
    commands: BTreeSet<(Target, Knob)>,
    /// When findings were opened, milliseconds.
    found_ms: Vec<u64>,
    /// Rates as services counted them, and of edges as spans tell, corrected.
    services: BTreeMap<String, Sum>,
    edges: BTreeMap<(String, String), Sum>,
    biased: BTreeSet<(String, String)>,
}

impl Look {
    fn new(glass: Glass, witnessed: bool) -> Look {
        Look {
            glass,
            witnessed,
            pipeline: Stopbank::new(StopbankConfig::default()),
            commands: BTreeSet::new(),
            found_ms: Vec::new(),
            services: BTreeMap::new(),
            edges: BTreeMap::new(),
            biased: BTreeSet::new(),
        }
    }

    fn hear(&mut self, at_ms: u64, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Finding(finding) if finding.state == FindingState::Opened => self.found_ms.push(at_ms),
                Effect::Command(command) => drop(self.commands.insert((command.target, command.knob))),
                _ => {}
            }
        }
    }

    fn note(&mut self) {
        let view = self.pipeline.engine().view();
        let who = if self.witnessed { CountedBy::Metrics } else { CountedBy::Spans };
        for service in view.services.into_iter().filter(|service| service.counted_by == who) {
            add(self.services.entry(service.name).or_default(), service.rate_rps);
        }
        self.biased = BTreeSet::new();
        for edge in view.edges {
            let key = (edge.caller, edge.callee);
            add(self.edges.entry(key.clone()).or_default(), edge.rate_rps);
            if edge.biased {
                self.biased.insert(key);
            }
        }
    }

    fn detected_ms(&self) -> Option<u64> {
        self.found_ms.first().and_then(|at_ms| at_ms.checked_sub(HEALTHY_S * 1000))
    }

    /// Its rates are those of `plain`, within 5 % and what chance does to one in `one_in`.
    fn rates_are_those_of(&self, plain: &Look) {
        assert!(self.services.len() == 9, "all that serve HTTP or RPC are counted: {:?}", self.services);
        for (name, rate) in &self.services {
            let ratio = mean(*rate) / mean(plain.services[name]);
            assert!((ratio - 1.0).abs() < 0.05, "{name}: {ratio:.3} of the rate");
        }
    }
}

fn add(sum: &mut Sum, value: f64) {
    *sum = (sum.0 + value, sum.1 + 1);
}

fn mean(sum: Sum) -> f64 {
    sum.0 / f64::from(sum.1)
}

#[test]
fn samplers_without_a_mark_are_known_by_what_services_count() {
    let mut topology = builtin("shop").expect("it comes with the program").with_first_fault_at(HEALTHY_S as f64);
    for operation in topology.service.iter_mut().flat_map(|service| &mut service.operation) {
        // Some requests fail in every real fleet: by them samplers are told apart.
        operation.error_share = operation.error_share.max(0.004);
    }
    let [plain, witnessed, head, errors, tail, marked] = play(&topology);
    assert!(plain.detected_ms().is_some_and(|after_ms| after_ms < 6_000) && plain.commands.len() >= 4);

    // Where all spans come, metrics change nothing.
    witnessed.rates_are_those_of(&plain);
    assert_eq!((&witnessed.commands, &witnessed.found_ms), (&plain.commands, &plain.found_ms));
    assert_eq!((&witnessed.biased, &witnessed.edges), (&BTreeSet::new(), &plain.edges));

    // Where a tenth comes, everything is weighed by what the metrics tell.
    head.rates_are_those_of(&plain);
    assert_eq!(head.biased, BTreeSet::new());
    for (name, rate) in &head.edges {
        let rate_rps = mean(plain.edges[name]);
        let chance = (1.0 / (KEPT * rate_rps * MEAN_S as f64)).sqrt();
        let ratio = mean(*rate) / rate_rps;
        assert!((ratio - 1.0).abs() < 0.05 + 3.0 * chance, "{name:?}: {ratio:.3} of the rate");
    }
    assert!(head.detected_ms().is_some_and(|after_ms| after_ms < 12_000), "{:?}", head.found_ms);
    let without_operations = |look: &Look| -> BTreeSet<(Target, Knob)> {
        let all = |(target, knob): &(Target, Knob)| (Target { operation: None, ..target.clone() }, *knob);
        look.commands.iter().map(all).collect()
    };
    assert_eq!(without_operations(&head), without_operations(&plain));

    // Where what is kept depends on what happens, rates are known, and nothing is concluded from spans.
    for (name, look) in [("errors", errors), ("tail", tail), ("tail, marked", marked)] {
        look.rates_are_those_of(&plain);
        assert_eq!(look.biased.len(), plain.edges.len(), "{name}: {:?}", look.biased);
        assert!(
            look.commands.is_empty() && look.found_ms.is_empty(),
            "{name}: {:?} {:?}",
            look.commands,
            look.found_ms
        );
    }
}

fn play(topology: &Topology) -> [Look; 6] {
    let unmarked = |lens| Look::new(Glass::unmarked(lens, SEED, topology), true);
    let mut looks = [
        Look::new(Glass::new(Lens::Plain, SEED, topology), false),
        Look::new(Glass::new(Lens::Plain, SEED, topology), true),
        unmarked(Lens::Head),
        unmarked(Lens::Errors),
        unmarked(Lens::Tail),
        Look::new(Glass::new(Lens::Tail, SEED, topology), true),
    ];
    let config = WorldConfig { seed: SEED, start_unix_ns: START_MS * MS, obey: false };
    let mut world = World::new(topology.clone(), config);
    let mut counter = Counter::new(10);
    for step in 1..=SECONDS * 1000 / STEP_MS {
        let at_ms = step * STEP_MS;
        let now_ns = (START_MS + at_ms) * MS;
        world.run_until(at_ms * MS);
        let (exports, reports) = (world.take_exports(), world.take_reports());
        exports.iter().for_each(|export| counter.take(export));
        let metrics = counter.due(now_ns);
        for look in &mut looks {
            exports.iter().for_each(|export| look.glass.take(export));
            let mut effects = look.pipeline.tick(now_ns / MS);
            for report in &reports {
                effects.extend(look.pipeline.report(report));
            }
            for record in metrics.iter().filter(|_| look.witnessed) {
                effects.extend(look.pipeline.metrics(record));
            }
            while let Some(batch) = look.glass.due(now_ns) {
                look.pipeline.record(batch.at_ns / MS, |bytes| batch.encode_into(Encoding::OtlpProto, bytes));
            }
            effects.extend(look.pipeline.close(|_| {}));
            look.hear(at_ms, effects);
            if at_ms.is_multiple_of(1000) && (HEALTHY_S - MEAN_S..HEALTHY_S).contains(&(at_ms / 1000)) {
                look.note();
            }
        }
    }
    looks
}
