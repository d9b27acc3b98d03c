//! What the engine may rest on: fresh, ordered, complete telemetry.

use super::engine;
use super::fleet::{Run, START_MS};
use crate::{EngineConfig, Input};
use model::Mode;

#[test]
fn stale_windows_update_what_is_known_and_cause_nothing() {
    let mut run = Run::new(engine(Mode::Act));
    run.put(Input::Tick { now_ms: START_MS + 3_600_000 });
    run.storm();
    run.seconds(30);
    assert!(run.commands().is_empty() && run.findings().is_empty());
    assert_eq!(run.engine.counters().windows_stale, 105);
    assert_eq!(run.audit().lines().count(), 1, "said once: {}", run.audit());
    assert_eq!(run.engine.view().services.len(), 4);
}

#[test]
fn a_window_that_is_not_newer_than_the_last_is_ignored() {
    let mut run = Run::new(engine(Mode::Act));
    run.seconds(10);
    let digest = run.engine.digest();
    let old = run.inputs.iter().find(|input| matches!(input, Input::Window(_))).cloned().unwrap();
    run.put(old);
    assert_eq!(run.engine.counters().windows_ignored, 1);
    assert_ne!(run.engine.digest(), digest, "counted");
    assert_eq!(run.engine.counters().windows, 10);
}

#[test]
fn a_finding_says_which_share_of_its_evidence_came_late_and_how_long_after_its_time_it_was_settled() {
    let mut run = Run::new(engine(Mode::Act));
    run.fleet.late = 30;
    run.seconds(60);
    run.fleet.capacity = 60.0;
    for _ in 0..30 {
        // The next window ends a second from now, and is settled 1.3 s after that.
        run.put(Input::Tick { now_ms: run.fleet.end_ms() + 1000 + 1300 });
        run.seconds(1);
    }
    assert!(!run.findings().is_empty());
    for (_, finding) in run.findings() {
        assert_eq!((finding.late, finding.behind_ms), (0.03, 1300), "{finding:?}");
    }
}

#[test]
fn thin_coverage_commands_nothing() {
    let mut run = Run::new(engine(Mode::Act));
    run.fleet.completeness_permille = 300;
    run.storm();
    run.seconds(60);
    assert!(run.commands().iter().all(|(_, command)| command.mode != Mode::Act), "{}", run.audit());
}

#[test]
fn gates_demote_to_proposals_that_name_them() {
    let mut config = EngineConfig { mode: Mode::Act, ..EngineConfig::default() };
    config.limits.min_confidence = 1.01;
    let mut run = Run::new(crate::Engine::new(config));
    run.storm();
    let commands = run.commands();
    assert!(!commands.is_empty());
    for (_, command) in commands {
        assert_eq!(command.mode, Mode::Propose);
        assert!(command.reason.summary.contains("confidence"), "{}", command.reason.summary);
    }
    assert!(run.engine.counters().gated > 0);
}

#[test]
fn when_telemetry_stops_in_the_middle_leases_are_held_on_reports_and_then_end() {
    let mut run = Run::new(engine(Mode::Act));
    run.storm();
    assert!(!run.engine.commands().is_empty());
    for _ in 0..60 {
        for input in run.fleet.step() {
            if !matches!(input, Input::Window(_)) {
                run.put(input);
            }
        }
    }
    assert!(!run.engine.commands().is_empty(), "held\n{}", run.audit());
    for _ in 0..120 {
        for input in run.fleet.step() {
            if !matches!(input, Input::Window(_)) {
                run.put(input);
            }
        }
    }
    assert!(run.engine.commands().is_empty(), "not longer than max_hold_ms\n{}", run.audit());
}

#[test]
fn a_new_configuration_holds_at_once() {
    let mut run = Run::new(engine(Mode::Act));
    run.storm();
    let active = run.engine.commands().len();
    let out = run.put(Input::Config(Box::default()));
    let releases =
        super::fleet::commands(&out).filter(|command| command.setting.is_none() && command.mode == Mode::Act);
    assert!(releases.count() > 0 && active > 0);
    assert!(run.engine.commands().iter().all(|command| command.mode == Mode::Observe));
}
