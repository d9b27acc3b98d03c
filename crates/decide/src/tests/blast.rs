//! Whatever the graph and the findings are: the limits hold, one writer per knob, no command without a finding.

use super::*;
use crate::Inverted;
use crate::gates::{refuses, services_max};
use crate::guards::carrier_of;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
struct Fleet {
    picture: Picture,
    overloaded: Vec<usize>,
}

fn name(index: usize) -> String {
    format!("s{index}")
}

prop_compose! {
    fn fleets()(
        size in 3..15usize,
        links in prop::collection::vec((0..15usize, 0..15usize, 0.0..500.0f64, 0.0..900.0f64), 1..40),
        capacities in prop::collection::vec(prop::option::of(1.0..600.0f64), 15),
        saturated in prop::collection::vec(any::<bool>(), 15),
        flows in prop::collection::vec((0..15usize, 0..4usize, 0.1..400.0f64, prop::collection::vec(0.0..2.0f64, 15)), 1..8),
        overloaded in prop::collection::vec(0..15usize, 1..4),
    ) -> Fleet {
        let services = (0..size).map(|index| (name(index), ServiceFacts {
            capacity_rps: capacities[index].and_then(|low| Interval::between(low, low * 1.2)),
            offered_rps: 300.0,
            first_attempts_rps: 100.0,
            shed_rps: 0.0,
            queue_delay_ms: Interval::between(100.0, 3000.0),
            saturated: saturated[index],
            inverted: saturated[index].then_some(Inverted { class: Criticality::CriticalPlus, rps: 60.0 }),
            ..ServiceFacts::default()
        })).collect();
        let mut edges: Vec<EdgeFacts> = links.into_iter().filter(|(a, b, ..)| a % size != b % size).map(|(a, b, first, retries)| EdgeFacts {
            caller: name(a % size).into(),
            callee: name(b % size).into(),
            kind: EdgeKind::Call,
            first_attempts_rps: first,
            retries_rps: retries,
            timeout_ms: Some(500.0),
            biased: false,
        }).collect();
        edges.sort_by(|a, b| (&a.callee, &a.caller).cmp(&(&b.callee, &b.caller)));
        edges.dedup_by(|a, b| a.caller == b.caller && a.callee == b.callee);
        let flows = flows.into_iter().map(|(entry, level, offered_rps, visits)| FlowFacts {
            entry: name(entry % size),
            operation: format!("op{level}"),
            criticality: Criticality::ALL[level],
            offered_rps,
            visits: visits.into_iter().take(size).enumerate().map(|(index, visits)| (name(index), visits)).collect(),
        }).collect();
        let overloaded = overloaded.into_iter().map(|index| index % size).collect();
        Fleet {
            picture: Picture { at_ms: 0, coverage: 1.0, left_out: 0.0, services_total: size as u32, services, edges, flows, ..Picture::default() },
            overloaded,
        }
    }
}

fn findings(fleet: &Fleet) -> Vec<Finding> {
    let one = |(place, index): (usize, &usize)| Finding {
        id: FindingId(format!("f-{index}")),
        subject: name(*index),
        origin: Some(name(*index)),
        ..finding(if place % 2 == 0 { Signature::Metastable } else { Signature::Inversion })
    };
    fleet.overloaded.iter().enumerate().map(one).collect()
}

#[test]
fn the_budgets_of_many_callers_leave_a_place_for_the_bound_of_what_is_overloaded() {
    let mut picture = storm(50.0, 3.0);
    let caller = |index: usize| EdgeFacts { caller: name(index).into(), ..picture.edges[3].clone() };
    let callers: Vec<EdgeFacts> = (0..6).map(caller).collect();
    picture.edges.extend(callers);
    let mut policy = acting();
    policy.limits.services_min = 1;
    policy.limits.max_services_share = 0.1;
    let mut desk = Desk::new(policy);
    let amplified = Finding { subject: "cart->stock".to_owned(), ..finding(Signature::RetryAmplification) };
    let before = desk.second(std::slice::from_ref(&amplified), &picture);
    assert_eq!(commands(&before).iter().filter(|command| command.mode == Mode::Act).count(), 7);
    let stuck = Finding { id: FindingId("f-2".to_owned()), ..finding(Signature::Metastable) };
    let out = desk.second(&[amplified, stuck], &picture);
    let bound = commands(&out).into_iter().find(|command| command.knob == Knob::QueueBound);
    assert!(bound.is_some_and(|bound| bound.mode == Mode::Act && bound.target.service == "stock"), "{out:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_on_any_fleet(fleet in fleets(), share in 0.1..0.9f64, floor in 1..4u32, shed in 0.05..0.9f64) {
        let mut policy = acting();
        policy.limits.max_services_share = share;
        policy.limits.services_min = floor;
        policy.limits.max_shed_share_domain = shed;
        policy.limits.max_shed_share_service = shed;
        let most = services_max(&policy.limits, fleet.picture.services_total);
        let mut desk = Desk::new(policy);
        let findings = findings(&fleet);
        let mut keys = BTreeSet::new();
        for _ in 0..6 {
            let out = desk.second(&findings, &fleet.picture);
            for command in commands(&out) {
                prop_assert!(findings.iter().any(|finding| finding.id.0 == command.reason.finding));
                if command.mode == Mode::Act && command.setting.is_some_and(crate::shed::sheds_critical_plus) {
                    prop_assert!(false, "CRITICAL_PLUS shed without approval: {command:?}");
                }
                keys.insert((command.target.clone(), command.knob, command.id.clone()));
            }
            let acting: Vec<_> = desk.ledger.commands(&desk.policy).into_iter().filter(|command| command.mode == Mode::Act).collect();
            let obeying: BTreeSet<&str> = acting.iter().filter(|command| refuses(command.knob)).map(carrier_of).collect();
            prop_assert!(obeying.len() <= most, "{} > {most}", obeying.len());
            let mut shed_rps = 0.0;
            for command in acting.iter().filter(|command| command.knob == Knob::Admission) {
                let mix = fleet.picture.entry_mix(&command.target.service, command.target.operation.as_deref());
                let cut = crate::shed::share(command.setting.unwrap(), &mix);
                prop_assert!(cut <= shed + 1e-6, "{cut} > {shed}");
                shed_rps += cut * mix.iter().sum::<f64>();
            }
            prop_assert!(shed_rps <= shed * fleet.picture.entry_offered_rps() + 1e-6);
        }
        let one_id_each: BTreeSet<_> = keys.iter().map(|(target, knob, _)| (target, knob)).collect();
        prop_assert_eq!(one_id_each.len(), keys.len(), "one writer, one id per (target, knob)");
    }
}
