//! Signing: Ed25519 over the exact bytes of key and value, with a prefix per kind of record.

use crate::command::CommandWire;
use crate::error::to_json;
use crate::keys::key_id;
use crate::record::Event;
use crate::{Kind, Record, command_key, order_key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use model::{Command, Mode, Order};
use std::fmt;

/// What is signed: `stopbank-<kind>-v1`, a line feed, the record key, a line feed, the value. Exact bytes, so nobody has
/// to canonicalise anything. Unambiguous because a key never holds a control character.
pub fn signature_input(kind: Kind, key: &str, value: &[u8]) -> Vec<u8> {
    let prefix = kind.prefix();
    let mut input = Vec::with_capacity(prefix.len() + key.len() + 1 + value.len());
    input.extend_from_slice(prefix.as_bytes());
    input.extend_from_slice(key.as_bytes());
    input.push(b'\n');
    input.extend_from_slice(value);
    input
}

/// Holds a private key. `Debug` shows the key id only; the bytes are wiped on drop.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// The signer of a seed: 32 bytes from the operating system's entropy, or from a key file.
    pub fn from_seed(seed: [u8; 32]) -> Signer {
        Signer { key: SigningKey::from_bytes(&seed) }
    }

    /// The public key, for keyrings.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public key's id.
    pub fn key_id(&self) -> String {
        key_id(&self.public())
    }

    /// A command as a signed record: for the control topic if its mode is `Act`, otherwise a proposal, which no
    /// subscriber obeys. `epoch` is the offset of the claim; `issued_ms` the engine's wall time.
    pub fn command(&self, domain: &str, epoch: u64, command: &Command, issued_ms: u64) -> Record {
        let kind = if command.mode == Mode::Act { Kind::Command } else { Kind::Proposal };
        let wire = CommandWire::of(epoch, command, issued_ms);
        let id = format!("{}.{epoch}.{}", command.id.0, command.sequence);
        let subject = command.target.to_string();
        let event = Event { kind, domain, id: &id, subject: &subject, time_ms: issued_ms };
        self.sign(kind, event.record(command_key(domain, &command.target, command.knob), to_json(&wire)))
    }

    /// An order as a signed record; key `domain/order`.
    pub fn order(&self, domain: &str, order: &Order) -> Record {
        let event = Event { kind: Kind::Order, domain, id: &order.id, subject: &order.by, time_ms: order.at_ms };
        self.sign(Kind::Order, event.record(order_key(domain, &order.id), to_json(order)))
    }

    /// The record with `ce_keyid` and `ce_signature`, in place of any that it had.
    #[must_use]
    pub fn sign(&self, kind: Kind, mut record: Record) -> Record {
        let signature = self.key.sign(&signature_input(kind, &record.key, &record.value));
        record.headers.retain(|(name, _)| name != "ce_keyid" && name != "ce_signature");
        record.headers.push(("ce_keyid".to_owned(), self.key_id()));
        record.headers.push(("ce_signature".to_owned(), STANDARD.encode(signature.to_bytes())));
        record
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Signer").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}
