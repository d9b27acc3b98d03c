use super::*;
use crate::{Key, Signer, TargetPattern};
use model::{Knob, Target};

const NOW: u64 = 1_800_000_000_000;

fn signer(role: Role) -> Signer {
    Signer::from_seed([role as u8 + 1; 32])
}

fn gate() -> OrderGate {
    let mut keyring = Keyring::new();
    keyring.add(Key::new(signer(Role::Engine).public(), Role::Engine)).unwrap();
    let targets = vec![TargetPattern::parse("cart")];
    keyring.add(Key { targets, ..Key::new(signer(Role::Operator).public(), Role::Operator) }).unwrap();
    OrderGate::new("shop", keyring)
}

fn order(id: &str, kind: OrderKind) -> Order {
    Order { id: id.into(), by: "ada".into(), note: String::new(), at_ms: NOW, kind }
}

fn signed(order: &Order) -> Record {
    signer(Role::Operator).order("shop", order)
}

#[test]
fn an_order_is_taken_once_within_its_time() {
    let mut gate = gate();
    let arm = order("o1", OrderKind::Arm);
    assert_eq!(gate.offer(&signed(&arm), NOW), Ok(arm.clone()));
    assert_eq!(gate.offer(&signed(&arm), NOW + 1), Err(OrderRefusal::Replayed { id: "o1".into() }));
    let late = gate.offer(&signed(&order("o2", OrderKind::Arm)), NOW + ORDER_AGE_MAX_MS + 1);
    assert!(matches!(late, Err(OrderRefusal::WrongTime { .. })));
    let early = gate.offer(&signed(&order("o2", OrderKind::Arm)), NOW - ORDER_AGE_MAX_MS - 1);
    assert!(matches!(early, Err(OrderRefusal::WrongTime { .. })));
}

#[test]
fn what_was_taken_before_a_restart_is_remembered() {
    let mut gate = gate();
    gate.remember("o1", NOW);
    let again = gate.offer(&signed(&order("o1", OrderKind::Arm)), NOW);
    assert_eq!(again, Err(OrderRefusal::Replayed { id: "o1".into() }));
}

#[test]
fn a_flood_of_orders_does_not_open_the_gate_to_replays() {
    let mut gate = gate();
    gate.offer(&signed(&order("o1", OrderKind::Arm)), NOW).unwrap();
    (0..5000).for_each(|n| gate.remember(&format!("flood-{n}"), NOW + 1));
    let again = gate.offer(&signed(&order("o1", OrderKind::Arm)), NOW + 2);
    assert!(matches!(again, Err(OrderRefusal::WrongTime { .. })));
}

#[test]
fn anyone_with_a_valid_key_may_disarm_and_only_operators_may_arm() {
    let mut gate = gate();
    let by_engine = |kind| signer(Role::Engine).order("shop", &order("o1", kind));
    assert_eq!(gate.offer(&by_engine(OrderKind::Arm), NOW), Err(KeyError::WrongRole.into()));
    assert!(gate.offer(&by_engine(OrderKind::Disarm), NOW).is_ok());
    let stranger = Signer::from_seed([9; 32]).order("shop", &order("o2", OrderKind::Disarm));
    assert_eq!(gate.offer(&stranger, NOW), Err(KeyError::UnknownKey.into()));
}

#[test]
fn an_order_counts_for_its_domain_and_the_keys_targets_only() {
    let mut gate = gate();
    let elsewhere = signer(Role::Operator).order("other", &order("o1", OrderKind::Arm));
    assert!(matches!(gate.offer(&elsewhere, NOW), Err(OrderRefusal::WrongDomain { .. })));
    let release = |service: &str| OrderKind::Release { target: Target::service(service), knob: Knob::Admission };
    assert_eq!(gate.offer(&signed(&order("o2", release("pay"))), NOW), Err(KeyError::WrongTarget.into()));
    assert!(gate.offer(&signed(&order("o3", release("cart"))), NOW).is_ok());
}

#[test]
fn a_signature_made_for_another_kind_or_other_bytes_is_refused() {
    let mut gate = gate();
    let record = signed(&order("o1", OrderKind::Arm));
    let as_command = signer(Role::Operator).sign(Kind::Command, record.clone());
    assert_eq!(gate.offer(&as_command, NOW), Err(KeyError::BadSignature.into()));
    let text = String::from_utf8(record.value.clone()).unwrap().replace("ada", "eve");
    assert_eq!(gate.offer(&Record { value: text.into(), ..record }, NOW), Err(KeyError::BadSignature.into()));
}
