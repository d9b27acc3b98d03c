//! Promise: each kind of risk is found in a fleet that has it, with its arithmetic, and none in a sound one.
//!
//! One sound fleet of the lab, changed in one way at a time; what is read is its telemetry alone.
#![allow(missing_docs, clippy::unwrap_used)] // helpers of tests unwrap as tests do

use engine::{Engine, EngineConfig, Input};
use lab::{Topology, World, WorldConfig};
use risk::{Assessment, Kind, Survey, SurveyConfig, assess};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Grace, Lane, PartitionId, ShardConfig, WatermarkConfig};

/// A shop of four services: timeouts shrink along the path, one hop retries, everything runs twice.
const SOUND: &str = r#"name = "sound"
[[client]]
name = "users"
to = "front"
rate_rps = 50
timeout_ms = 3000
criticality = "CRITICAL"

[[service]]
name = "front"
instances = 2
workers = 64
[[service.operation]]
name = "GET /"
mean_us = 4000
[[service.operation.call]]
to = "cart"
timeout_ms = 1200
retries = 0
[[service.operation.call]]
to = "ads"
timeout_ms = 900
parallel = true

[[service]]
name = "cart"
instances = 2
workers = 64
[[service.operation]]
name = "GET /cart"
mean_us = 2000
[[service.operation.call]]
to = "stock"
timeout_ms = 300
retries = 1
backoff_ms = 5

[[service]]
name = "stock"
instances = 2
workers = 4
[[service.operation]]
name = "GET /stock"
mean_us = 5000

[[service]]
name = "ads"
instances = 2
workers = 8
[[service.operation]]
name = "GET /ads"
mean_us = 3000

[[fault]]
kind = "errors"
service = "stock"
share = 0.5
start_s = 10
duration_s = 5
"#;

const SECONDS: u64 = 40;

/// What the telemetry of this fleet shows.
fn assessed(toml: &str) -> Assessment {
    let topology = Topology::from_toml(toml).unwrap_or_else(|error| panic!("{error}"));
    let config = WorldConfig { seed: 3, start_unix_ns: 1_750_000_000_000_000_000, obey: false };
    let mut world = World::new(topology, config);
    let mut survey = Survey::new(SurveyConfig::default());
    let mut reader = Reader::new(ReaderConfig::default());
    let mut lane = Lane::new(Grace::Fixed { grace_ms: 2_000 }, WatermarkConfig::default(), ShardConfig::default());
    let mut engine = Engine::new(EngineConfig { warmup_windows: 5, ..EngineConfig::default() });
    let (mut facts, mut bytes) = (Facts::default(), Vec::new());
    let mut take = |windows: Vec<model::Window>, survey: &mut Survey| {
        for window in windows {
            survey.window(&window);
            engine.apply(&Input::Tick { now_ms: window.end_ns / 1_000_000 + 2_000 });
            engine.apply(&Input::Window(window));
        }
    };
    for second in 1..=SECONDS {
        world.run_until(second * 1_000_000_000);
        for export in world.take_exports() {
            bytes.clear();
            export.encode_into(Encoding::OtlpProto, &mut bytes);
            survey.record(Encoding::OtlpProto, &bytes).unwrap();
            facts.clear();
            reader.read(Encoding::OtlpProto, &bytes, &mut facts).unwrap();
            lane.observe(PartitionId::default(), &facts.names, &facts.spans, None);
        }
        take(lane.close(), &mut survey);
    }
    take(lane.drain(), &mut survey);
    assess(&survey.fleet(&engine.view()), "lab")
}

fn changed(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    SOUND.replacen(from, to, 1)
}

/// The one risk there is.
fn one(toml: &str, kind: Kind, subject: &str) -> risk::Risk {
    let found = assessed(toml);
    let text = risk::text(&found);
    assert_eq!(found.risks.len(), 1, "{text}");
    let risk = found.risks[0].clone();
    assert_eq!((risk.kind, risk.subject.as_str()), (kind, subject), "{text}");
    assert!(risk.cost_rps > 20.0 && risk.cost_rps < 60.0, "all 50 requests a second come by here: {text}");
    assert!(risk.factor > 1.0 && !risk.evidence.is_empty() && !risk.change.is_empty(), "{text}");
    risk
}

#[test]
fn a_sound_fleet_has_no_risk_and_what_is_not_known_is_said() {
    let found = assessed(SOUND);
    assert!(found.risks.is_empty(), "{}", risk::text(&found));
    assert_eq!(found.services, 4);
    assert!((found.entry_rps - 50.0).abs() < 5.0, "{found:?}");
    assert!(found.unknown.iter().any(|what| what.contains("capacities are not known")), "{found:?}");
}

#[test]
fn a_caller_that_gives_up_before_its_callee_is_found_from_what_both_wait() {
    let risk = one(&changed("timeout_ms = 1200", "timeout_ms = 400"), Kind::InvertedTimeout, "front->cart->stock");
    assert_eq!(risk.arithmetic, "2 × 300 ms = 600 ms > 400 ms: for up to 200 ms cart works for nobody");
}

#[test]
fn retries_on_two_hops_multiply() {
    let toml = changed("retries = 0", "retries = 2").replacen("share = 0.5", "share = 0.9", 1);
    let risk = one(&toml, Kind::MultipliedRetries, "front->cart->stock");
    assert!((risk.factor - 6.0).abs() < 1e-9, "{risk:?}");
    assert!(risk.arithmetic.starts_with("3 × 2 = 6 attempts at stock"), "{}", risk.arithmetic);
    assert_eq!(risk.traces.len(), 3);
}

#[test]
fn retries_that_would_exceed_what_was_ever_served_are_reckoned() {
    // Two instances with one worker each serve at most 100 a second; a surge has shown it.
    let toml = changed(
        "workers = 4\n[[service.operation]]\nname = \"GET /stock\"\nmean_us = 5000",
        "workers = 1\n[[service.operation]]\nname = \"GET /stock\"\nmean_us = 22000",
    );
    let toml = toml.replacen("retries = 1", "retries = 2", 1)
        + "[[fault]]\nkind = \"surge\"\nfactor = 2.5\nstart_s = 18\nduration_s = 8\n";
    let found = assessed(&toml);
    let text = risk::text(&found);
    assert_eq!(found.risks.iter().map(|risk| risk.kind).collect::<Vec<_>>(), [Kind::RetriesAboveCapacity], "{text}");
    assert_eq!(found.risks[0].subject, "cart->stock", "{text}");
    assert!(found.risks[0].arithmetic.starts_with("λ(1 + R) = "), "{text}");
}

#[test]
fn the_only_instance_of_what_everything_needs_is_found() {
    let toml = changed("name = \"stock\"\ninstances = 2", "name = \"stock\"\ninstances = 1");
    let risk = one(&toml, Kind::SinglePoint, "stock");
    assert!(risk.summary.contains("100 % of all requests need it"), "{}", risk.summary);
}

#[test]
fn an_optional_call_that_is_waited_for_is_found_and_one_beside_the_work_is_not() {
    let fault = "[[fault]]\nkind = \"errors\"\nservice = \"ads\"\nshare = 1.0\nstart_s = 20\nduration_s = 5\n";
    let optional = changed("timeout_ms = 900\nparallel = true", "timeout_ms = 900\noptional = true") + fault;
    let risk = one(&optional, Kind::OptionalBlocks, "front->ads");
    assert!(risk.factor > 20.0, "{risk:?}");
    let beside =
        changed("timeout_ms = 900\nparallel = true", "timeout_ms = 900\nparallel = true\noptional = true") + fault;
    assert!(assessed(&beside).risks.is_empty(), "{}", risk::text(&assessed(&beside)));
}

#[test]
fn many_calls_within_one_request_are_a_hot_spot() {
    let call = "[[service.operation.call]]\nto = \"ads\"\ntimeout_ms = 900\n";
    let toml =
        changed("[[service.operation.call]]\nto = \"ads\"\ntimeout_ms = 900\nparallel = true\n", &call.repeat(10));
    let risk = one(&toml, Kind::FanOut, "front->ads");
    assert!((risk.factor - 10.0).abs() < 0.1, "{risk:?}");
}
