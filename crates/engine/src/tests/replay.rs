//! Same inputs, same effects, bit for bit; a restored engine goes on as if nothing had been.

use super::engine;
use super::fleet::Run;
use crate::{Effect, Engine, Input, SnapshotError};
use model::{Mode, Order, OrderKind};
use proptest::prelude::*;

fn recording() -> (Vec<Input>, Vec<Effect>, Engine) {
    let mut run = Run::new(engine(Mode::Act));
    run.storm();
    let order =
        Order { id: "o-1".to_owned(), by: "ada".to_owned(), note: String::new(), at_ms: 0, kind: OrderKind::Arm };
    run.put(Input::Order(order));
    run.put(Input::Sampling { kept_permille: 500 });
    run.seconds(60);
    (run.inputs, run.effects.into_iter().map(|(_, effect)| effect).collect(), run.engine)
}

#[test]
fn the_same_inputs_give_the_same_effects_and_digest() {
    let (inputs, effects, last) = recording();
    let mut again = engine(Mode::Act);
    let replayed: Vec<Effect> = inputs.iter().flat_map(|input| again.apply(input)).collect();
    assert_eq!(replayed, effects);
    assert_eq!(again.digest(), last.digest());
    assert_ne!(again.digest(), engine(Mode::Act).digest());
}

#[test]
fn inputs_survive_the_journal() {
    let (inputs, ..) = recording();
    for input in inputs {
        let bytes = postcard::to_stdvec(&input).unwrap();
        assert_eq!(postcard::from_bytes::<Input>(&bytes).unwrap(), input);
    }
}

#[test]
fn ids_are_the_same_for_a_successor_that_restores() {
    let (inputs, effects, _) = recording();
    // in the middle of the incident
    let half = inputs.len() * 5 / 9;
    let mut first = engine(Mode::Act);
    inputs[..half].iter().for_each(|input| drop(first.apply(input)));
    let mut successor = Engine::restore(&first.snapshot()).unwrap();
    let ids = |effects: &[Effect]| {
        super::fleet::commands(effects).map(|command| command.id.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let rest: Vec<Effect> = inputs[half..].iter().flat_map(|input| successor.apply(input)).collect();
    assert!(!ids(&rest).is_empty());
    assert!(ids(&rest).is_subset(&ids(&effects)));
}

#[test]
fn a_snapshot_of_another_version_or_a_broken_one_is_refused() {
    let mut bytes = engine(Mode::Act).snapshot();
    assert!(matches!(Engine::restore(&bytes[..1]), Err(SnapshotError::Broken { .. })));
    assert!(matches!(Engine::restore(&bytes[..bytes.len() - 1]), Err(SnapshotError::Broken { .. })));
    bytes[0] = 99;
    assert!(matches!(Engine::restore(&bytes), Err(SnapshotError::Version { found: 99, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn restoring_anywhere_changes_nothing(cut in 0.0..1.0f64) {
        let (inputs, effects, last) = recording();
        let cut = (inputs.len() as f64 * cut) as usize;
        let mut first = engine(Mode::Act);
        let mut replayed: Vec<Effect> = inputs[..cut].iter().flat_map(|input| first.apply(input)).collect();
        let mut second = Engine::restore(&first.snapshot()).unwrap();
        prop_assert_eq!(second.digest(), first.digest());
        replayed.extend(inputs[cut..].iter().flat_map(|input| second.apply(input)));
        prop_assert_eq!(replayed, effects);
        prop_assert_eq!(second.digest(), last.digest());
    }
}
