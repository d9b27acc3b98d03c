//! Whose signatures count: public keys with a role, the targets they are valid for, and the time.

use crate::{Kind, Record, TargetPattern, signature_input};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use model::Target;
use std::collections::BTreeMap;
use thiserror::Error;

/// What a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Commands, proposals and the audit trail.
    Engine,
    /// Orders.
    Operator,
}

/// A public key and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// What it may sign; a key may have both roles.
    pub roles: Vec<Role>,
    /// The targets it may command.
    pub targets: Vec<TargetPattern>,
    /// It counts from then on, Unix milliseconds.
    pub from_ms: u64,
    /// It counts before then, Unix milliseconds. Two keys whose times overlap make a rotation without a gap.
    pub until_ms: u64,
}

impl Key {
    /// A key for every target and all time.
    pub fn new(public: [u8; 32], role: Role) -> Key {
        Key { public, roles: vec![role], targets: vec![TargetPattern::parse("*")], from_ms: 0, until_ms: u64::MAX }
    }

    /// Does it count at this time?
    pub fn valid_at(&self, at_ms: u64) -> bool {
        self.from_ms <= at_ms && at_ms < self.until_ms
    }

    /// May it command this target?
    pub fn valid_for(&self, target: &Target) -> bool {
        self.targets.iter().any(|pattern| pattern.covers(target))
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum KeyError {
    /// There is no signature.
    #[error("the record carries no ce_keyid and ce_signature: it was not signed by stopbank")]
    Unsigned,
    /// The key is not in the keyring.
    #[error("the signing key is not in the keyring: add its public key, or find out who signs with it")]
    UnknownKey,
    /// The bytes were not signed by that key, or for another kind of record.
    #[error("the signature does not fit key and value: the record was altered or forged")]
    BadSignature,
    /// The key has another role.
    #[error("the signing key has not the role that this kind of record needs")]
    WrongRole,
    /// The key's time is over or has not begun.
    #[error("the signing key is not valid at this time")]
    WrongTime,
    /// The key is not valid for that target.
    #[error("the signing key is not valid for that target")]
    WrongTarget,
    /// The key is weak, not a point of the curve, or its id stands for another key.
    #[error("not a usable Ed25519 public key (weak, malformed, or its key id is taken)")]
    BadKey,
}

/// The keys that count, by key id.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<String, (Key, VerifyingKey)>,
}

impl Keyring {
    /// No key: nothing verifies.
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// Adds a key. The same key again replaces what was said of it.
    ///
    /// # Errors
    /// [`KeyError::BadKey`] if it is weak or malformed, or if another key has its id.
    pub fn add(&mut self, key: Key) -> Result<(), KeyError> {
        let verifying = VerifyingKey::from_bytes(&key.public).map_err(|_| KeyError::BadKey)?;
        let id = key_id(&key.public);
        let taken = self.keys.get(&id).is_some_and(|(known, _)| known.public != key.public);
        if verifying.is_weak() || taken {
            return Err(KeyError::BadKey);
        }
        self.keys.insert(id, (key, verifying));
        Ok(())
    }

    /// The key with this id.
    pub fn get(&self, key_id: &str) -> Option<&Key> {
        self.keys.get(key_id).map(|(key, _)| key)
    }

    /// The ids of all keys, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Is there no key?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies that the record was signed, as this kind, by a key of the ring; gives the key's id and the key. Role,
    /// time and target are the caller's next questions.
    ///
    /// # Errors
    /// No signature, an unknown key, or a signature that does not fit.
    pub fn verify_strict(&self, kind: Kind, record: &Record) -> Result<(&str, &Key), KeyError> {
        let (id, signature) = record.header("ce_keyid").zip(record.header("ce_signature")).ok_or(KeyError::Unsigned)?;
        let (id, (key, verifying)) = self.keys.get_key_value(id).ok_or(KeyError::UnknownKey)?;
        let bytes = STANDARD.decode(signature).map_err(|_| KeyError::BadSignature)?;
        let signature = Signature::from_slice(&bytes).map_err(|_| KeyError::BadSignature)?;
        let input = signature_input(kind, &record.key, &record.value);
        verifying.verify_strict(&input, &signature).map_err(|_| KeyError::BadSignature)?;
        Ok((id, key))
    }
}

/// A key's id: the first 16 hex digits of the public key. A handle, not a proof.
pub fn key_id(public: &[u8; 32]) -> String {
    hex(&public[..8])
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes of hex in either case.
pub(crate) fn unhex32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}
