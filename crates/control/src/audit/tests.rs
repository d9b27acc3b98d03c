use super::*;
use crate::Key;
use model::AuditKind;
use proptest::prelude::*;

fn signer() -> Signer {
    Signer::from_seed([1; 32])
}

fn ring(role: Role) -> Keyring {
    let mut ring = Keyring::new();
    ring.add(Key::new(signer().public(), role)).unwrap();
    ring
}

fn trail(links: usize) -> Vec<Record> {
    let mut chain = AuditChain::new("shop");
    let entry = |n: usize| AuditEntry {
        at_ms: n as u64,
        kind: AuditKind::Commanded,
        subject: format!("cart-{n}"),
        text: "because".into(),
        ..AuditEntry::default()
    };
    (0..links).map(|n| chain.append(3, &entry(n), &signer())).collect()
}

fn verify(links: &[Record]) -> Result<[u8; 32], ChainError> {
    verify_chain(links, &ring(Role::Engine))
}

#[test]
fn a_whole_trail_and_any_tail_of_it_verify() {
    let links = trail(5);
    let head = audit_hash(&links[4].value);
    assert_eq!(verify(&links), Ok(head));
    assert_eq!(verify(&links[2..]), Ok(head));
    assert_eq!(verify(&[]), Ok(GENESIS));
}

#[test]
fn a_chain_goes_on_where_the_last_owner_stopped() {
    let mut links = trail(3);
    let mut chain = AuditChain::after(&links[2]).unwrap();
    assert_eq!(chain.head(), audit_hash(&links[2].value));
    links.push(chain.append(4, &AuditEntry::default(), &signer()));
    assert!(verify(&links).is_ok());
}

#[test]
fn leaving_out_swapping_and_forging_show() {
    let links = trail(4);
    let left_out = [links[0].clone(), links[2].clone()];
    assert_eq!(verify(&left_out), Err(ChainError::Broken { at: 1 }));
    let swapped = [links[1].clone(), links[0].clone()];
    assert_eq!(verify(&swapped), Err(ChainError::Broken { at: 1 }));
    let stranger = Signer::from_seed([2; 32]);
    let forged = stranger.sign(Kind::Audit, links[3].clone());
    assert_eq!(verify(&[forged]), Err(ChainError::Key { at: 0, why: KeyError::UnknownKey }));
    let role = verify_chain(&links, &ring(Role::Operator));
    assert_eq!(role, Err(ChainError::Key { at: 0, why: KeyError::WrongRole }));
}

proptest! {
    #[test]
    fn one_flipped_bit_anywhere_in_the_trail_shows(link in 0usize..4, at: prop::sample::Index, bit in 0u8..8) {
        let mut links = trail(4);
        let value = &mut links[link].value;
        let at = at.index(value.len());
        value[at] ^= 1 << bit;
        prop_assert!(verify(&links).is_err());
    }
}
