//! People: disarm, approve, refuse, hold, modes; and the gates that wait for them.

use super::*;
use crate::{ModeRule, Over};
use model::{Setting, Target};

fn storm_desk(policy: Policy) -> (Desk, Vec<Finding>, Picture) {
    (Desk::new(policy), vec![finding(Signature::Metastable)], storm(125.0, 3.0))
}

#[test]
fn disarm_releases_everything_at_once_and_nothing_new_begins_until_armed() {
    let (mut desk, findings, picture) = storm_desk(acting());
    desk.second(&findings, &picture);
    let out = desk.order("o-1", OrderKind::Disarm);
    assert_eq!(commands(&out).len(), 3);
    assert!(commands(&out).iter().all(|command| command.setting.is_none() && command.mode == Mode::Act));
    assert!(desk.ledger.leases().is_empty());
    assert_eq!(desk.ledger.disarmed_by(), Some("ada"));
    assert!(commands(&desk.second(&findings, &picture)).is_empty());
    assert!(desk.order("o-1", OrderKind::Arm).is_empty(), "the same order id again changes nothing");
    desk.order("o-2", OrderKind::Arm);
    assert_eq!(knobs(&desk.second(&findings, &picture)).len(), 2, "bound and budget come back, the purge was done");
}

/// A desk on which bound, budget and admission act at the same time.
fn shedding() -> (Desk, Vec<Finding>, Picture) {
    let (mut desk, findings, picture) = (Desk::new(acting()), vec![finding(Signature::Metastable)], storm(50.0, 3.0));
    // The queue stays long: nothing is let back in by trial.
    desk.queue_delay_ms = 4_000;
    for _ in 0..5 {
        desk.second(&findings, &picture);
        desk.obey(&["stock", "cart", "front"]);
    }
    let acting: Vec<Knob> = desk.ledger.leases().keys().map(|key| key.1).collect();
    assert!([Knob::Admission, Knob::RetryBudget, Knob::QueueBound].iter().all(|knob| acting.contains(knob)));
    (desk, findings, picture)
}

#[test]
fn a_frozen_engine_renews_what_is_in_force_changes_nothing_and_lets_go_in_the_end() {
    let (mut desk, findings, picture) = shedding();
    let before = desk.ledger.leases().clone();
    let out = desk.order("o-1", OrderKind::Freeze);
    assert!(commands(&out).is_empty());
    assert!(audited(&out, AuditKind::Mode)[0].starts_with("frozen: "), "{out:?}");
    let mut renewed = Vec::new();
    for _ in 0..30 {
        renewed.extend(desk.second(&findings, &storm(20.0, 5.0)));
    }
    for (key, lease) in &before {
        let values: Vec<_> =
            commands(&renewed).into_iter().filter(|one| (&one.target, one.knob) == (&key.0, key.1)).collect();
        let once = key.1.kind() == model::KnobKind::OneShot;
        assert!(once || values.len() >= 5, "{key:?} is renewed: {values:?}");
        assert!(values.iter().all(|one| one.setting == lease.sent.as_ref().map(|sent| sent.setting)), "{key:?}");
    }
    for _ in 0..200 {
        desk.second(&findings, &picture);
    }
    assert!(desk.ledger.leases().is_empty(), "nobody armed it again: ramped down after the longest hold");
    assert_eq!(desk.ledger.disarmed_by(), Some("ada"));
}

#[test]
fn a_ramp_lets_demand_back_in_by_steps_and_bounds_go_last() {
    let (mut desk, findings, picture) = shedding();
    let mut out = desk.order("o-1", OrderKind::RampDown);
    for _ in 0..40 {
        out.extend(desk.second(&findings, &picture));
    }
    assert!(desk.ledger.leases().is_empty());
    let commands = commands(&out);
    let depths: Vec<u32> = commands
        .iter()
        .filter(|one| one.knob == Knob::Admission)
        .map(|one| one.setting.map_or(0, crate::shed::depth))
        .collect();
    assert!(depths.len() >= 3 && depths.windows(2).all(|pair| pair[1] <= pair[0]), "eased in steps: {depths:?}");
    let ends = |knob| commands.iter().position(|one| one.knob == knob && one.setting.is_none()).unwrap();
    assert!(ends(Knob::Admission) < ends(Knob::RetryBudget) && ends(Knob::RetryBudget) < ends(Knob::QueueBound));
    let armed = desk.order("o-2", OrderKind::Arm);
    assert!(audited(&armed, AuditKind::Mode)[0].starts_with("armed"));
    assert!(!knobs(&desk.second(&findings, &picture)).is_empty(), "and it decides again");
}

#[test]
fn a_proposal_waits_for_approval_and_then_acts_under_the_same_id() {
    let (mut desk, findings, picture) = storm_desk(Policy { mode: Mode::Propose, ..Policy::default() });
    let out = desk.second(&findings, &picture);
    let bound = commands(&out)[0].clone();
    assert_eq!((bound.knob, bound.mode), (Knob::QueueBound, Mode::Propose));
    let approved = desk.order("o-1", OrderKind::Approve { command: bound.id.0.clone() });
    let acted = commands(&approved);
    assert_eq!(acted.len(), 1);
    assert_eq!((acted[0].id.clone(), acted[0].mode, acted[0].setting), (bound.id.clone(), Mode::Act, bound.setting));
    let unknown = desk.order("o-2", OrderKind::Approve { command: "nothing".to_owned() });
    assert!(audited(&unknown, AuditKind::Order)[0].contains("no such command"));
}

#[test]
fn what_is_refused_is_released_and_not_proposed_again_in_this_incident() {
    let (mut desk, findings, picture) = storm_desk(acting());
    let out = desk.second(&findings, &picture);
    let bound = commands(&out)[0].id.clone();
    let refused = desk.order("o-1", OrderKind::Refuse { command: bound.0.clone() });
    assert!(commands(&refused)[0].setting.is_none());
    assert_eq!(desk.ledger.is_over(&bound), Some(Over::Refused));
    for _ in 0..20 {
        desk.obey(&["stock", "cart"]);
        assert!(commands(&desk.second(&findings, &picture)).iter().all(|command| command.knob != Knob::QueueBound));
    }
    let mut later = finding(Signature::Metastable);
    later.since_ms = 500_000;
    for _ in 0..60 {
        desk.second(&[], &storm(125.0, 1.0));
    }
    assert!(
        knobs(&desk.second(&[later], &picture)).contains(&(Knob::QueueBound, "stock".to_owned())),
        "a new incident"
    );
}

#[test]
fn a_knob_that_a_person_holds_is_left_alone_until_the_hold_ends() {
    let (mut desk, findings, picture) = storm_desk(acting());
    desk.blind_second();
    let hold = OrderKind::Hold {
        target: Target::service("stock"),
        setting: Setting::QueueBound { work_ms: 40 },
        ttl_ms: 7_000,
    };
    let out = desk.order("o-1", hold);
    assert_eq!(commands(&out)[0].setting, Some(Setting::QueueBound { work_ms: 40 }));
    assert_eq!(commands(&out)[0].reason.signature, Signature::Manual);
    let mut all = Vec::new();
    for _ in 0..6 {
        all.extend(desk.second(&findings, &picture));
    }
    assert!(
        commands(&all)
            .iter()
            .filter(|command| command.knob == Knob::QueueBound)
            .all(|command| command.reason.signature == Signature::Manual)
    );
    let end = desk.second(&findings, &picture);
    let bounds: Vec<_> = commands(&end).into_iter().filter(|command| command.knob == Knob::QueueBound).collect();
    assert_eq!(bounds[0].setting, None);
    assert_eq!(bounds[1].setting, Some(Setting::QueueBound { work_ms: 150 }), "the engine takes over");
    let out = desk.order("o-2", OrderKind::Release { target: Target::service("stock"), knob: Knob::QueueBound });
    assert_eq!(commands(&out)[0].setting, None);
}

#[test]
fn modes_follow_rules_and_a_persons_word_lowers_them() {
    let rule = |service: Option<&str>, knob, mode| ModeRule { service: service.map(str::to_owned), knob, mode };
    let policy = Policy {
        mode: Mode::Observe,
        modes: vec![rule(None, Some(Knob::QueueBound), Mode::Act), rule(Some("cart"), None, Mode::Off)],
        ..Policy::default()
    };
    let (mut desk, findings, picture) = storm_desk(policy);
    let out = desk.second(&findings, &picture);
    let modes: Vec<_> = commands(&out).iter().map(|command| (command.knob, command.mode)).collect();
    assert_eq!(modes, [(Knob::QueueBound, Mode::Act), (Knob::Purge, Mode::Observe)], "cart, which retries, is off");
    let out = desk.order("o-1", OrderKind::SetMode { mode: Mode::Observe });
    let bounds: Vec<_> = commands(&out).iter().map(|command| (command.mode, command.setting.is_some())).collect();
    assert_eq!(bounds, [(Mode::Act, false), (Mode::Observe, true)], "released, and said from now on");
}

#[test]
fn each_gate_makes_a_proposal_that_names_it() {
    let gated = |change: &dyn Fn(&mut Policy, &mut Finding, &mut Picture)| {
        let (mut policy, mut finding, mut picture) = (acting(), finding(Signature::Metastable), storm(50.0, 3.0));
        change(&mut policy, &mut finding, &mut picture);
        let mut desk = Desk::new(policy);
        let out = desk.second(&[finding], &picture);
        let proposals: Vec<_> =
            commands(&out).into_iter().filter(|command| command.mode == Mode::Propose).cloned().collect();
        proposals.iter().map(|command| command.reason.summary.clone()).collect::<Vec<_>>().join("\n")
    };
    assert!(gated(&|_, finding, _| finding.confidence = 0.5).contains("confidence"));
    assert!(gated(&|_, finding, _| finding.coverage = 0.3).contains("coverage"));
    assert!(gated(&|_, _, picture| picture.coverage = 0.2).contains("telemetry"));
    assert!(gated(&|policy, _, _| policy.limits.max_new_per_minute = 1).contains("rate window"));
    let narrow = |policy: &mut Policy, _: &mut Finding, _: &mut Picture| {
        policy.limits.services_min = 1;
        policy.limits.max_services_share = 0.1;
    };
    assert!(gated(&narrow).contains("blast radius"));
    assert!(gated(&|policy, _, _| policy.limits.max_shed_share_service = 0.1).contains("blast radius"));
    assert!(
        gated(&|_, _, picture| {
            for flow in &mut picture.flows {
                flow.criticality = Criticality::CriticalPlus;
            }
        })
        .contains("CRITICAL_PLUS")
    );
}

#[test]
fn critical_plus_is_shed_only_after_approval() {
    let mut picture = storm(50.0, 3.0);
    for flow in &mut picture.flows {
        flow.criticality = Criticality::CriticalPlus;
    }
    let mut desk = Desk { queue_delay_ms: 900, ..Desk::new(acting()) };
    let findings = [finding(Signature::Metastable)];
    let mut all = Vec::new();
    for _ in 0..10 {
        desk.obey(&["stock", "cart", "front"]);
        all.extend(desk.second(&findings, &picture));
    }
    let admission: Vec<Command> =
        commands(&all).into_iter().filter(|command| command.knob == Knob::Admission).cloned().collect();
    let sheds = |command: &&Command| command.setting.is_some_and(crate::shed::sheds_critical_plus);
    assert!(admission.iter().filter(|command| command.mode == Mode::Act).filter(sheds).count() == 0);
    let proposal = admission.iter().find(|command| command.mode == Mode::Propose).unwrap();
    assert!(sheds(&proposal));
    let out = desk.order("o-1", OrderKind::Approve { command: proposal.id.0.clone() });
    let acted = commands(&out);
    assert!(acted.iter().any(|command| command.mode == Mode::Act && sheds(command)), "{acted:?}");
}
