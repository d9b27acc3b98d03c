use super::*;
use crate::{Boundary, Decision, Load, Ramp, Reason, Request, decide};
use model::Criticality::{Critical, CriticalPlus, Sheddable, SheddablePlus};
use proptest::prelude::*;

const CART: NameId = NameId(7);

fn config() -> Config {
    let ramp = Ramp { length_ms: 1000, jitter_permille: 0 };
    Config { ramp, limit: LimitKind::Fixed { limit: 100 }, ..Config::default() }
}

fn service(setting: Setting) -> Commanded {
    Commanded { operation: None, setting }
}

fn admission(lowest: model::Criticality, fraction_permille: u16) -> Setting {
    Setting::Admission { lowest, fraction_permille }
}

fn reason(table: &Table, request: Request, load: Load) -> Option<Reason> {
    match decide(table, &request, load, 1000) {
        Decision::Admit => None,
        Decision::Refuse { reason, .. } => Some(reason),
    }
}

#[test]
fn without_a_command_only_the_own_limits_hold() {
    let mut state = State::new(config(), 0);
    let table = step(&mut state, &Tallies::default(), 0);
    let request = |criticality| Request { criticality, ..Request::default() };
    let at = |in_flight| {
        [Sheddable, SheddablePlus, Critical, CriticalPlus]
            .map(|class| reason(&table, request(class), Load { in_flight, queued_work_ms: 0 }).is_none())
    };
    assert_eq!(at(0), [true; 4]);
    assert_eq!(at(70), [false, true, true, true]);
    assert_eq!(at(80), [false, false, true, true]);
    assert_eq!(at(90), [false, false, false, true]);
    assert_eq!(at(100), [false; 4]);
    let refused = decide(&table, &request(Critical), Load { in_flight: 100, queued_work_ms: 0 }, 0);
    assert_eq!(refused, Decision::Refuse { reason: Reason::Concurrency, retry: Retry::AfterMs(250) });
}

#[test]
fn work_that_cannot_be_in_time_is_refused_for_good() {
    let mut state = State::new(config(), 0);
    let table = step(&mut state, &Tallies::default(), 0);
    let request = Request { deadline_ms: Some(1100), ..Request::default() };
    assert_eq!(reason(&table, request, Load { in_flight: 0, queued_work_ms: 99 }), None);
    assert_eq!(reason(&table, request, Load { in_flight: 0, queued_work_ms: 100 }), Some(Reason::Expired));
    let patient = Request::default();
    assert_eq!(reason(&table, patient, Load { in_flight: 0, queued_work_ms: 151 }), Some(Reason::QueueFull));
}

#[test]
fn the_most_restrictive_of_several_commands_counts_and_operations_add_to_the_service() {
    let mut state = State::new(config(), 0);
    let commanded = [
        service(admission(SheddablePlus, 1000)),
        service(admission(SheddablePlus, 0)),
        Commanded { operation: Some(CART), setting: admission(CriticalPlus, 1000) },
        Commanded { operation: Some(NameId(9)), setting: admission(Sheddable, 500) },
    ];
    state.command(&commanded, 0);
    let table = step(&mut state, &Tallies::default(), 0);
    assert_eq!(table.service, Boundary { lowest: SheddablePlus, fraction_permille: 0 });
    let all_but_top = Boundary { lowest: CriticalPlus, fraction_permille: 1000 };
    assert_eq!(table.operations, [(CART, all_but_top), (NameId(9), table.service)]);
    let request = Request { operation: CART, ..Request::default() };
    assert_eq!(reason(&table, request, Load::default()), Some(Reason::Priority));
    assert_eq!(reason(&table, Request::default(), Load::default()), None);
    assert_eq!(table.retry, Retry::Never, "the fleet is busy");
}

#[test]
fn what_is_never_shed_passes_admission_but_not_the_queue() {
    let mut state = State::new(Config { never_shed: vec![NameId(9), CART], ..config() }, 0);
    state.command(&[service(admission(CriticalPlus, 0))], 0);
    let table = step(&mut state, &Tallies::default(), 0);
    let request = Request { operation: CART, criticality: Sheddable, ..Request::default() };
    assert_eq!(reason(&table, request, Load { in_flight: 1000, queued_work_ms: 0 }), None);
    assert_eq!(reason(&table, request, Load { in_flight: 0, queued_work_ms: 151 }), Some(Reason::QueueFull));
}

#[test]
fn a_lease_that_ends_comes_back_on_a_ramp_inside_the_own_limit() {
    let mut state = State::new(config(), 0);
    state.command(&[service(Setting::Concurrency { limit: 10 }), service(Setting::KillSwitch { level: 2 })], 0);
    assert_eq!(step(&mut state, &Tallies::default(), 0).in_flight_max, [7, 8, 9, 10]);
    state.command(&[], 500);
    let back = [500, 1000, 1500, 9000].map(|now_ms| step(&mut state, &Tallies::default(), now_ms));
    assert_eq!(back.each_ref().map(|table| table.in_flight_max[3]), [10, 55, 100, 100]);
    assert_eq!(back.each_ref().map(|table| table.kill_level), [2, 1, 0, 0]);
    assert_eq!(back[3].retry, Retry::AfterMs(250));
}

#[test]
fn a_knob_of_another_machine_is_ignored() {
    let mut state = State::new(config(), 0);
    let calm = step(&mut state, &Tallies::default(), 0);
    state.command(&[service(Setting::Replicas { count: 3 }), service(Setting::Purge { older_than_ms: 1 })], 0);
    assert_eq!(step(&mut state, &Tallies::default(), 0), Table { version: 2, ..calm });
}

proptest! {
    #[test]
    fn a_command_never_admits_what_would_be_refused_without_it(
        level in 0usize..4, fraction in 0u16..=1000, limit in 0u32..200, work_ms in 0u32..300,
        class in 0usize..4, cohort in 0u8..130, spread: u64, in_flight in 0u32..150, queued_work_ms in 0u32..300,
    ) {
        let mut state = State::new(config(), 0);
        let calm = step(&mut state, &Tallies::default(), 0);
        let settings = [
            admission(model::Criticality::ALL[level], fraction),
            Setting::Concurrency { limit },
            Setting::QueueBound { work_ms },
        ];
        state.command(&settings.map(service), 0);
        let commanded = step(&mut state, &Tallies::default(), 0);
        let criticality = model::Criticality::ALL[class];
        let request = Request { criticality, cohort, spread, ..Request::default() };
        let load = Load { in_flight, queued_work_ms };
        if decide(&commanded, &request, load, 0) == Decision::Admit {
            prop_assert_eq!(decide(&calm, &request, load, 0), Decision::Admit);
        }
    }
}
