//! Telemetry that stops, that is old, that hardly comes: nothing is concluded from it that it does not say.

use engine::Effect;
use lab::lens::Glass;
use lab::tunnel::{Stopbank, StopbankConfig};
use lab::{Export, Lens, Topology, World, WorldConfig, builtin};
use model::ServiceState;
use std::cell::Cell;
use std::collections::BTreeMap;
use telemetry::Encoding;

const SECOND_NS: u64 = 1_000_000_000;
const START_UNIX_S: u64 = 1_750_000_000;
const WEEK_S: u64 = 7 * 24 * 3600;

/// Runs `topology` for so many seconds; the pipeline hears those exports that `heard` lets through, and takes the time to be
/// `ahead_s` later than it is in the fleet.
fn watch(
    topology: Topology,
    seconds: u64,
    ahead_s: u64,
    heard: impl Fn(u64, &Export) -> bool,
) -> (Stopbank, Vec<Effect>) {
    let config = WorldConfig { seed: 5, start_unix_ns: START_UNIX_S * SECOND_NS, obey: false };
    let mut world = World::new(topology, config);
    let mut setup = StopbankConfig::default();
    setup.engine.warmup_windows = 12;
    let (mut pipeline, mut effects) = (Stopbank::new(setup), Vec::new());
    for step in 1..=seconds * 4 {
        world.run_until(step * SECOND_NS / 4);
        effects.extend(pipeline.tick((START_UNIX_S + ahead_s) * 1000 + step * 250));
        for report in world.take_reports() {
            effects.extend(pipeline.report(&report));
        }
        for export in world.take_exports().iter().filter(|export| heard(step / 4, export)) {
            pipeline.record(export.at_ns / 1_000_000, |bytes| export.encode_into(Encoding::OtlpProto, bytes));
        }
        effects.extend(pipeline.close(|_| {}));
    }
    (pipeline, effects)
}

fn shop() -> Topology {
    builtin("shop").expect("it comes with the program")
}

fn commands(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Command(_))).count()
}

fn findings(effects: &[Effect]) -> Vec<String> {
    let finding = |effect: &Effect| match effect {
        Effect::Finding(finding) => Some(finding.summary.clone()),
        _ => None,
    };
    effects.iter().filter_map(finding).collect()
}

#[test]
fn a_topic_that_is_replayed_from_last_week_teaches_and_commands_nothing() {
    let (live, effects) = watch(shop(), 45, 0, |_, _| true);
    assert!(commands(&effects) > 0 && live.engine().graph().end_ns() > 0, "the same spans in time are acted on");
    let (pipeline, effects) = watch(shop(), 45, WEEK_S, |_, _| true);
    assert_eq!(commands(&effects), 0);
    let (seen, lively) = (pipeline.engine().view(), live.engine().view());
    assert_eq!(seen.edges.len(), lively.edges.len(), "what is known is the same");
}

#[test]
fn an_exporter_that_goes_silent_is_no_incident() {
    let (pipeline, effects) =
        watch(shop().without_faults(), 75, 0, |second, export| second < 40 || export.service() != "inventory");
    assert_eq!((commands(&effects), findings(&effects)), (0, vec![]));
    let view = pipeline.engine().view();
    let edge = view.edges.iter().find(|edge| edge.callee == "inventory" && edge.caller == "gateway");
    assert!(edge.is_some_and(|edge| edge.rate_rps > 100.0), "its callers still tell of it: {edge:?}");
}

#[test]
fn a_whole_partition_that_goes_silent_is_no_incident() {
    let (_, effects) = watch(shop().without_faults(), 75, 0, |second, _| second < 40);
    assert_eq!((commands(&effects), findings(&effects)), (0, vec![]));
}

const QUIET: &str = r#"
name = "quiet"
[[client]]
name = "everybody"
to = "front"
operation = "GET /"
rate_rps = 80
timeout_ms = 1000
[[client]]
name = "accountants"
to = "night"
operation = "GET /report"
rate_rps = 0.0167
timeout_ms = 1000
[[service]]
name = "front"
workers = 20
[[service.operation]]
name = "GET /"
mean_us = 5000
[[service]]
name = "night"
workers = 4
[[service.operation]]
name = "GET /report"
mean_us = 5000
"#;

#[test]
fn a_service_with_a_call_a_minute_is_unknown_and_never_healthy() {
    let quiet = Topology::from_toml(QUIET).expect("it is a topology");
    for seconds in [10, 300] {
        let asked = Cell::new(0);
        let (pipeline, effects) = watch(quiet.clone(), seconds, 0, |_, export| {
            asked.set(asked.get() + usize::from(export.service() == "night"));
            true
        });
        assert_eq!((commands(&effects), findings(&effects)), (0, vec![]));
        let services = pipeline.engine().view().services;
        let state = |name: &str| services.iter().find(|service| service.name == name).map(|service| service.state);
        assert!(matches!(state("night"), None | Some(ServiceState::Unknown)), "after {seconds} s");
        if seconds > 60 {
            assert!(asked.get() > 1 && state("night").is_some(), "asked {} times: {services:?}", asked.get());
            assert_eq!(state("front"), Some(ServiceState::Healthy));
        } else {
            assert_ne!(state("front"), Some(ServiceState::Healthy), "nothing is learned yet");
        }
    }
}

#[test]
fn a_service_that_is_deployed_under_a_new_name_is_known_from_the_first_second() {
    let topology = shop().without_faults();
    let mut glass = Glass::new(Lens::Renamed, 1, &topology);
    let config = WorldConfig { seed: 5, start_unix_ns: START_UNIX_S * SECOND_NS, obey: false };
    let mut world = World::new(topology, config);
    let mut setup = StopbankConfig::default();
    setup.engine.warmup_windows = 12;
    let mut pipeline = Stopbank::new(setup);
    let (mut renamed, mut known) = (BTreeMap::new(), BTreeMap::new());
    for step in 1..=90 * 4 {
        world.run_until(step * SECOND_NS / 4);
        let now_ns = world.now_unix_ns();
        pipeline.tick(now_ns / 1_000_000);
        world.take_exports().iter().for_each(|export| glass.take(export));
        while let Some(batch) = glass.due(now_ns) {
            pipeline.record(batch.at_ns / 1_000_000, |bytes| batch.encode_into(Encoding::OtlpProto, bytes));
        }
        pipeline.close(|_| {});
        for service in pipeline.engine().view().services {
            if service.name != Lens::Renamed.real_name(&service.name) && service.rate_rps > 30.0 {
                let since = *renamed.entry(service.name.clone()).or_insert(step);
                if service.state != ServiceState::Unknown {
                    known.entry(service.name).or_insert(step - since);
                }
            }
        }
    }
    assert!(!renamed.is_empty(), "somebody was renamed");
    // learning anew would take the whole warm-up of twelve windows
    let late = |name: &&String| known.get(*name).is_none_or(|steps| *steps > 4 * 4);
    let late: Vec<&String> = renamed.keys().filter(late).collect();
    assert!(late.is_empty(), "{late:?} of {renamed:?}: {known:?}");
}
