use super::*;
use model::Target;

#[test]
fn what_is_written_is_read_back() {
    let seed = [7; 32];
    assert_eq!(parse_seed(&seed_file(&seed)), Ok(seed));
    let public = Signer::from_seed(seed).public();
    let ring = parse_keyring(&public_key_line(&public, Role::Operator)).unwrap();
    let id = Signer::from_seed(seed).key_id();
    assert_eq!(ring.get(&id), Some(&Key::new(public, Role::Operator)));
}

#[test]
fn a_line_says_roles_targets_and_time() {
    let public = hex(&Signer::from_seed([7; 32]).public());
    let line = format!(
        "# the shop\n\n  key {public} role=engine,operator targets=\"cart:GET *, front->*\" \
         from=2026-01-01T00:00:00Z until=1800000000000 # note\n"
    );
    let ring = parse_keyring(&line).unwrap();
    let key = ring.get(&public[..16]).unwrap();
    assert_eq!(key.roles, [Role::Engine, Role::Operator]);
    assert_eq!((key.from_ms, key.until_ms), (1_767_225_600_000, 1_800_000_000_000));
    assert!(key.valid_for(&Target::operation("cart", "GET /x")) && key.valid_for(&Target::edge("front", "pay")));
    assert!(!key.valid_for(&Target::service("cart")));
}

#[test]
fn errors_name_the_line_and_never_the_secret() {
    let secret = "ab".repeat(31);
    let wrong = [
        parse_seed(&format!("# c\nseed {secret}\n")).unwrap_err(),
        parse_keyring(&format!("\nkey {secret} role=engine")).unwrap_err(),
        parse_keyring(&format!("\nkey {} role=boss", "00".repeat(32))).unwrap_err(),
        parse_keyring(&format!("\nkey {} role=engine", "00".repeat(32))).unwrap_err(),
        parse_keyring(&format!("\nkey {}", "00".repeat(32))).unwrap_err(),
        parse_keyring("\nkey \"").unwrap_err(),
    ];
    for error in wrong {
        let text = error.to_string();
        assert!(text.starts_with("line 2: ") && !text.contains("abab"), "{text}");
    }
    assert_eq!(parse_seed("# nothing"), Err(KeyFileError::Seeds { found: 0 }));
}
