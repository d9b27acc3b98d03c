//! Leases over time: renewals, changes, withdrawal, release in order, relapse, thin telemetry.

use super::*;
use crate::{Over, Phase};
use model::Setting;

fn storm_desk(capacity: f64) -> (Desk, Vec<Finding>, Picture) {
    let desk = Desk { queue_delay_ms: 900, ..Desk::new(acting()) };
    (desk, vec![finding(Signature::Metastable)], storm(capacity, 3.0))
}

#[test]
fn commands_go_out_once_and_are_renewed_at_a_third_of_their_time_with_the_same_id() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    let first = desk.second(&findings, &picture);
    let ids: Vec<_> = commands(&first).iter().map(|command| (command.knob, command.id.clone())).collect();
    assert_eq!(ids.len(), 3);
    let mut renewed = Vec::new();
    for _ in 0..9 {
        desk.obey(&["stock", "cart"]);
        renewed.extend(desk.second(&findings, &picture));
    }
    let renewals = commands(&renewed);
    assert_eq!(renewals.len(), 2, "bound and budget once in five seconds each, the purge never again");
    for renewal in renewals {
        assert!(ids.contains(&(renewal.knob, renewal.id.clone())));
        assert!(renewal.sequence > 3);
        assert_eq!(renewal.mode, Mode::Act);
    }
}

#[test]
fn a_purge_is_sent_once_and_its_record_is_cleaned_up() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    let mut all = Vec::new();
    for _ in 0..40 {
        desk.obey(&["stock", "cart"]);
        all.extend(desk.second(&findings, &picture));
    }
    let purges: Vec<_> = commands(&all).into_iter().filter(|command| command.knob == Knob::Purge).collect();
    assert_eq!(purges.len(), 2);
    assert!(purges[0].setting.is_some() && purges[1].setting.is_none());
    assert_eq!(desk.ledger.is_over(&purges[0].id), Some(Over::Spent));
}

#[test]
fn a_purge_that_a_guard_has_not_heard_of_is_sent_again_a_few_times() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    let mut all = Vec::new();
    for _ in 0..40 {
        desk.report("stock", Vec::new());
        all.extend(desk.second(&findings, &picture));
    }
    let purges = commands(&all).into_iter().filter(|command| command.knob == Knob::Purge && command.setting.is_some());
    let purges: Vec<_> = purges.collect();
    assert_eq!(purges.len(), 1 + 3, "and then it is left alone");
    assert!(purges.windows(2).all(|two| two[0].id == two[1].id && two[0].sequence < two[1].sequence));
}

#[test]
fn in_observe_mode_the_same_is_said_and_nothing_acts() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    let act = desk.second(&findings, &picture);
    let mut watching = Desk::new(Policy::default());
    let observe = watching.second(&findings, &picture);
    assert_eq!(knobs(&act), knobs(&observe));
    assert!(commands(&observe).iter().all(|command| command.mode == Mode::Observe));
    let settings = |outcomes: &[Outcome]| commands(outcomes).iter().map(|command| command.setting).collect::<Vec<_>>();
    assert_eq!(settings(&act), settings(&observe));
}

#[test]
fn admission_is_tightened_in_bounded_steps() {
    let (mut desk, findings, picture) = storm_desk(30.0);
    let mut shares = Vec::new();
    for _ in 0..8 {
        desk.obey(&["stock", "cart", "front"]);
        let out = desk.second(&findings, &picture);
        let cuts =
            commands(&out).into_iter().filter(|command| command.knob == Knob::Admission && command.mode == Mode::Act);
        shares.extend(
            cuts.filter_map(|command| command.setting)
                .map(|setting| crate::shed::share(setting, &[30.0, 0.0, 60.0, 10.0])),
        );
    }
    assert!(shares[0] <= 0.4 + 0.002, "{shares:?}");
    assert!(shares.last().unwrap() > &0.65, "{shares:?}");
    assert!(shares.last().unwrap() <= &0.7, "the domain's limit: {shares:?}");
}

#[test]
fn recovery_lets_demand_in_first_then_retries_then_bounds() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    for _ in 0..5 {
        desk.obey(&["stock", "cart", "front"]);
        desk.second(&findings, &picture);
    }
    let calm = storm(125.0, 1.0);
    desk.queue_delay_ms = 0;
    let mut all = Vec::new();
    for _ in 0..60 {
        desk.obey(&["stock", "cart", "front"]);
        all.extend(desk.second(&[], &calm));
    }
    let released: Vec<_> = commands(&all)
        .into_iter()
        .filter(|command| command.setting.is_none() && command.knob != Knob::Purge)
        .map(|command| command.knob)
        .collect();
    assert_eq!(released, [Knob::Admission, Knob::RetryBudget, Knob::QueueBound]);
    let widened: Vec<f64> = commands(&all)
        .into_iter()
        .filter(|command| command.knob == Knob::Admission)
        .filter_map(|command| command.setting)
        .map(|setting| crate::shed::share(setting, &[30.0, 0.0, 60.0, 10.0]))
        .collect();
    assert!(widened.windows(2).all(|pair| pair[0] + 1e-9 >= pair[1] && pair[0] - pair[1] <= 0.21), "{widened:?}");
    assert!(desk.ledger.is_idle());
}

#[test]
fn bounds_and_budgets_stay_while_demand_exceeds_capacity() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    desk.second(&findings, &picture);
    desk.queue_delay_ms = 0;
    for _ in 0..60 {
        desk.obey(&["stock", "cart", "front"]);
        desk.second(&[], &storm(50.0, 1.0));
    }
    let held: Vec<Knob> = desk.ledger.leases().keys().map(|key| key.1).collect();
    assert_eq!(held, [Knob::QueueBound, Knob::RetryBudget]);
}

#[test]
fn retries_wait_for_the_queue_to_drain() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    desk.second(&findings, &picture);
    desk.queue_delay_ms = 900;
    let mut all = Vec::new();
    for _ in 0..30 {
        desk.obey(&["stock", "cart"]);
        all.extend(desk.second(&[], &storm(125.0, 1.0)));
    }
    assert!(commands(&all).iter().all(|command| command.setting.is_some() || command.knob == Knob::Purge));
    desk.queue_delay_ms = 3;
    for _ in 0..30 {
        desk.obey(&["stock", "cart"]);
        desk.second(&[], &storm(125.0, 1.0));
    }
    assert!(desk.ledger.leases().is_empty());
}

#[test]
fn evidence_that_returns_during_the_release_holds_everything_again_and_doubles_the_calm() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    let first = desk.second(&findings, &picture);
    let id = commands(&first).iter().find(|command| command.knob == Knob::Admission).unwrap().id.clone();
    let calm = storm(50.0, 1.0);
    for _ in 0..8 {
        desk.obey(&["stock", "cart", "front"]);
        desk.second(&[], &calm);
    }
    assert!(desk.ledger.leases().values().any(|lease| matches!(lease.phase, Phase::Fading { .. })));
    let back = desk.second(&findings, &picture);
    assert!(
        !audited(&back, AuditKind::Changed)
            .iter()
            .filter(|text| text.contains("came back"))
            .collect::<Vec<_>>()
            .is_empty()
    );
    let fading =
        |desk: &Desk| desk.ledger.leases().values().filter(|lease| matches!(lease.phase, Phase::Fading { .. })).count();
    assert_eq!(fading(&desk), 0);
    assert!(commands(&back).iter().filter(|command| command.knob == Knob::Admission).all(|command| command.id == id));
    for _ in 0..8 {
        desk.obey(&["stock", "cart", "front"]);
        desk.second(&[], &calm);
    }
    assert_eq!(fading(&desk), 0, "the second calm must last ten seconds");
}

#[test]
fn a_command_that_no_guard_obeys_is_withdrawn_and_not_sent_again() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    let mut all = Vec::new();
    for _ in 0..14 {
        desk.report("stock", Vec::new());
        all.extend(desk.second(&findings, &picture));
    }
    let bounds: Vec<_> = commands(&all).into_iter().filter(|command| command.knob == Knob::QueueBound).collect();
    assert!(bounds.last().unwrap().setting.is_none());
    assert!(audited(&all, AuditKind::Withdrawn)[0].contains("none of the 1 guards"));
    assert_eq!(desk.ledger.is_over(&bounds[0].id), Some(Over::Useless));
}

#[test]
fn a_command_without_effect_by_the_expected_time_is_withdrawn() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(desk.second(&findings, &picture));
    }
    assert!(audited(&all, AuditKind::Withdrawn).iter().all(|text| text.contains("no effect")));
    assert!(!audited(&all, AuditKind::Withdrawn).is_empty());
}

#[test]
fn when_telemetry_thins_out_held_leases_live_on_reports_and_nothing_new_starts() {
    let (mut desk, findings, picture) = storm_desk(125.0);
    desk.second(&findings, &picture);
    let mut renewals = Vec::new();
    for _ in 0..60 {
        desk.obey(&["stock"]);
        renewals.extend(desk.blind_second());
    }
    let bounds = |outcomes: &[Outcome]| {
        commands(outcomes)
            .iter()
            .filter(|command| command.knob == Knob::QueueBound)
            .map(|command| command.setting)
            .collect::<Vec<_>>()
    };
    assert!(bounds(&renewals).iter().all(Option::is_some) && bounds(&renewals).len() >= 10);
    let budgets: Vec<_> = commands(&renewals).into_iter().filter(|command| command.knob == Knob::RetryBudget).collect();
    assert!(budgets.last().unwrap().setting.is_none(), "no guard of cart speaks for it: it ran out");
    let mut thin = picture.clone();
    thin.coverage = 0.3;
    let out = desk.second(&findings, &thin);
    assert!(commands(&out).iter().all(|command| command.mode != Mode::Act || command.knob == Knob::QueueBound));
    let mut later = Vec::new();
    for _ in 0..90 {
        desk.obey(&["stock"]);
        later.extend(desk.blind_second());
    }
    assert_eq!(bounds(&later).last(), Some(&None), "not longer than max_hold_ms");
}

#[test]
fn a_changed_wish_is_followed_without_flapping() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    desk.second(&findings, &picture);
    let mut changes = 0;
    for second in 0..60u64 {
        desk.obey(&["stock", "cart", "front"]);
        // Demand wobbles by two percent around the same need.
        let mut wobbling = picture.clone();
        for flow in &mut wobbling.flows {
            flow.offered_rps *= 1.0 + 0.02 * if second % 2 == 0 { 1.0 } else { -1.0 };
        }
        let out = desk.second(&findings, &wobbling);
        changes += audited(&out, AuditKind::Changed).len();
    }
    assert!(changes <= 3, "{changes} changes");
    assert!(matches!(
        desk.ledger.leases().values().last().unwrap().wanted,
        Setting::RetryBudget { .. } | Setting::Admission { .. } | Setting::QueueBound { .. }
    ));
}

/// Shares of the demand that admission at the entry sheds, as they are sent.
fn cuts(outcomes: &[Outcome]) -> Vec<f64> {
    let admissions = commands(outcomes).into_iter().filter(|command| command.knob == Knob::Admission);
    let settings = admissions.filter(|command| command.mode == Mode::Act).filter_map(|command| command.setting);
    settings.map(|setting| crate::shed::share(setting, &[30.0, 0.0, 60.0, 10.0])).collect()
}

fn seconds(desk: &mut Desk, count: usize, findings: &[Finding], picture: &Picture) -> Vec<Outcome> {
    let mut all = Vec::new();
    for _ in 0..count {
        desk.obey(&["stock", "cart", "front"]);
        all.extend(desk.second(findings, picture));
    }
    all
}

#[test]
fn demand_comes_back_by_trial_as_soon_as_the_service_serves_what_comes_although_the_finding_is_still_open() {
    let (mut desk, findings, picture) = storm_desk(50.0);
    seconds(&mut desk, 6, &findings, &picture);
    desk.queue_delay_ms = 0;
    let told = seconds(&mut desk, 8, &findings, &picture);
    assert_eq!(cuts(&told).last(), Some(&0.0), "{:?}", cuts(&told));
    assert!(desk.ledger.leases().values().all(|lease| lease.phase == Phase::Held), "and everything else is held");
}

#[test]
fn a_service_that_is_still_slow_is_asked_for_one_step_at_a_time_with_a_calm_between() {
    let (mut desk, findings, mut picture) = storm_desk(50.0);
    seconds(&mut desk, 6, &findings, &picture);
    desk.queue_delay_ms = 0;
    picture.services.get_mut("stock").unwrap().slow = true;
    let told = seconds(&mut desk, 9, &findings, &picture);
    assert!(audited(&told, AuditKind::Changed).iter().filter(|text| text.contains("eased")).count() <= 2);
}

#[test]
fn a_trial_that_fails_is_taken_back_and_the_next_one_waits_twice_as_long() {
    let (mut desk, findings, mut picture) = storm_desk(50.0);
    seconds(&mut desk, 6, &findings, &picture);
    picture.services.get_mut("stock").unwrap().first_attempts_rps = 40.0;
    let mut fails_s = Vec::new();
    for second in 0..90u64 {
        // with any more demand work waits again
        let open = desk.ledger.leases().values().any(|lease| lease.eased.is_some());
        desk.queue_delay_ms = if open { 900 } else { 0 };
        let told = seconds(&mut desk, 1, &findings, &picture);
        if audited(&told, AuditKind::Changed).iter().any(|text| text.contains("cannot serve it")) {
            fails_s.push(second);
        }
    }
    assert!((3..=6).contains(&fails_s.len()), "{fails_s:?}");
    let pauses: Vec<u64> = fails_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && pauses.last() > Some(&18), "{pauses:?}");
}

#[test]
fn what_the_overloaded_service_refuses_because_it_was_told_to_ends_no_trial() {
    let (mut desk, findings, mut picture) = storm_desk(50.0);
    // requests enter at the overloaded service itself
    for flow in &mut picture.flows {
        flow.entry = "stock".to_owned();
    }
    picture.edges.retain(|edge| &*edge.callee != "stock");
    picture.edges.push(EdgeFacts { caller: "".into(), callee: "stock".into(), ..picture.edges[0].clone() });
    picture.edges[3].timeout_ms = Some(1000.0);
    picture.edges.sort_by(|a, b| (&a.callee, &a.caller).cmp(&(&b.callee, &b.caller)));
    desk.second(&findings, &picture);
    desk.queue_delay_ms = 0;
    for _ in 0..12 {
        let shed = desk.ledger.leases().iter().find(|(key, _)| key.1 == Knob::Admission).map_or(0.0, |(_, lease)| {
            let sent = lease.sent.as_ref().map_or(crate::shed::OPEN, |sent| sent.setting);
            100.0 * crate::shed::share(sent, &lease.mix)
        });
        let obeyed: Vec<Obeyed> = desk.ledger.leases().values().map(obeyed).collect();
        desk.ledger.hear(&GuardReport {
            service: "stock".to_owned(),
            instance: "1".to_owned(),
            obeyed,
            shed: [shed as u32, 0, 0, 0],
            admitted: [100 - shed as u32, 0, 0, 0],
            ..GuardReport::default()
        });
        desk.second(&findings, &picture);
    }
    let lease = desk.ledger.leases().iter().find(|(key, _)| key.1 == Knob::Admission).expect("it is held").1;
    assert_eq!(lease.sent.as_ref().map(|sent| sent.setting), Some(crate::shed::OPEN));
}
