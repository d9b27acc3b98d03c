//! Orders through the engine.

use super::engine;
use super::fleet::{Run, commands};
use crate::Input;
use model::{Mode, Order, OrderKind};

fn order(id: &str, kind: OrderKind) -> Input {
    Input::Order(Order { id: id.to_owned(), by: "ada".to_owned(), note: "drill".to_owned(), at_ms: 0, kind })
}

#[test]
fn disarm_releases_everything_in_one_step_until_armed_again() {
    let mut run = Run::new(engine(Mode::Act));
    run.seconds(60);
    run.fleet.capacity = 60.0;
    run.seconds(7);
    let active = run.engine.commands().len();
    assert!(active >= 2, "{}", run.audit());
    let out = run.put(order("o-1", OrderKind::Disarm));
    assert_eq!(commands(&out).filter(|command| command.setting.is_none()).count(), active);
    assert_eq!(run.engine.disarmed_by(), Some("ada"));
    let before = run.commands().len();
    run.seconds(30);
    assert_eq!(run.commands().len(), before);
    run.put(order("o-2", OrderKind::Arm));
    run.seconds(5);
    assert!(run.commands().len() > before, "{}", run.audit());
}

#[test]
fn proposals_wait_and_an_approved_one_acts() {
    let mut run = Run::new(engine(Mode::Propose));
    run.storm();
    let proposed = run.engine.commands();
    assert!(!proposed.is_empty() && proposed.iter().all(|command| command.mode == Mode::Propose));
    let id = proposed[0].id.0.clone();
    let out = run.put(order("o-1", OrderKind::Approve { command: id.clone() }));
    let acted: Vec<_> = commands(&out).filter(|command| command.mode == Mode::Act).collect();
    assert_eq!(acted.len(), 1);
    assert_eq!(acted[0].id.0, id);
    let refused = proposed[1].id.0.clone();
    run.put(order("o-2", OrderKind::Refuse { command: refused.clone() }));
    let before = run.effects.len();
    run.seconds(20);
    let later = run.effects[before..].iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>();
    assert!(commands(&later).all(|command| command.id.0 != refused));
}

#[test]
fn a_mode_ordered_by_a_person_holds_and_is_audited() {
    let mut run = Run::new(engine(Mode::Act));
    run.put(order("o-1", OrderKind::SetMode { mode: Mode::Observe }));
    run.storm();
    assert_eq!(run.engine.mode(), Mode::Observe);
    assert!(run.commands().iter().all(|(_, command)| command.mode == Mode::Observe));
    assert!(run.audit().contains("the mode of everything is observe (drill)"));
}
