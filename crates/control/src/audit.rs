//! The audit trail: each link names the hash of the one before, so that nothing can be changed, left out or put in
//! between without it showing; the last one is held by its signature.

use crate::error::{from_json, to_json};
use crate::keys::{hex, unhex32};
use crate::record::Event;
use crate::{KeyError, Keyring, Kind, Record, Role, Signer, WireError};
use model::AuditEntry;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the first link names as the one before.
pub const GENESIS: [u8; 32] = [0; 32];

/// The value of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditWire {
    /// The domain.
    pub domain: String,
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// The link's place in the chain; rises by one.
    pub index: u64,
    /// The BLAKE3 hash of the link before, hex; 64 zeros in the first.
    pub previous: String,
    /// What happened.
    pub entry: AuditEntry,
}

/// Where a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// A link cannot be read.
    #[error("audit link {at}: {why}")]
    Wire {
        /// Its place among the links that were given.
        at: usize,
        /// Why.
        why: WireError,
    },
    /// A link does not follow the one before.
    #[error("audit link {at} does not follow the one before: something was changed, left out or put in between")]
    Broken {
        /// Its place among the links that were given.
        at: usize,
    },
    /// A link was not signed by an engine.
    #[error("audit link {at}: {why}")]
    Key {
        /// Its place among the links that were given.
        at: usize,
        /// Why.
        why: KeyError,
    },
}

/// Writes links, each onto the one before.
#[derive(Clone, Debug)]
pub struct AuditChain {
    domain: String,
    next: u64,
    previous: [u8; 32],
}

impl AuditChain {
    /// A new chain.
    pub fn new(domain: &str) -> AuditChain {
        AuditChain { domain: domain.to_owned(), next: 0, previous: GENESIS }
    }

    /// Goes on after the last link of the topic.
    ///
    /// # Errors
    /// That record is not a link.
    pub fn after(last: &Record) -> Result<AuditChain, WireError> {
        let wire = decode_audit(last)?;
        Ok(AuditChain { domain: wire.domain, next: wire.index + 1, previous: audit_hash(&last.value) })
    }

    /// The next link as a signed record; key `domain`, and its own hash in the header `ce_hash`. The chain has moved on:
    /// what is returned must be written.
    pub fn append(&mut self, epoch: u64, entry: &AuditEntry, signer: &Signer) -> Record {
        let wire = AuditWire {
            domain: self.domain.clone(),
            epoch,
            index: self.next,
            previous: hex(&self.previous),
            entry: entry.clone(),
        };
        let value = to_json(&wire);
        self.next += 1;
        self.previous = audit_hash(&value);
        let id = format!("{}/{epoch}/{}", self.domain, wire.index);
        let (subject, time_ms) = (entry.subject.as_str(), entry.at_ms);
        let event = Event { kind: Kind::Audit, domain: &self.domain, id: &id, subject, time_ms };
        let mut record = event.record(self.domain.clone(), value);
        record.headers.push(("ce_hash".to_owned(), hex(&self.previous)));
        signer.sign(Kind::Audit, record)
    }

    /// The hash of the last link.
    pub fn head(&self) -> [u8; 32] {
        self.previous
    }
}

/// A link's hash: BLAKE3 over the audit prefix and the exact value.
pub fn audit_hash(value: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(Kind::Audit.prefix().as_bytes()).update(value).finalize().as_bytes()
}

/// Reads a link, without verifying the chain.
///
/// # Errors
/// The value is too large or not a link, or the key names another domain.
pub fn decode_audit(record: &Record) -> Result<AuditWire, WireError> {
    let wire: AuditWire = from_json("audit", &record.value)?;
    if record.key != wire.domain {
        let (key, expected) = (record.key.clone(), wire.domain);
        return Err(WireError::KeyMismatch { what: "audit", key, expected });
    }
    Ok(wire)
}

/// Verifies links in the order of the topic, from any link on; each must be signed by an engine of the ring and follow
/// the one before. Gives the hash of the last.
///
/// # Errors
/// The first link that does not hold.
pub fn verify_chain<'a>(
    links: impl IntoIterator<Item = &'a Record>,
    keyring: &Keyring,
) -> Result<[u8; 32], ChainError> {
    let mut last: Option<(AuditWire, [u8; 32])> = None;
    for (at, record) in links.into_iter().enumerate() {
        let wire = decode_audit(record).map_err(|why| ChainError::Wire { at, why })?;
        let previous = unhex32(&wire.previous).ok_or(ChainError::Broken { at })?;
        let follows = match &last {
            Some((before, hash)) => before.domain == wire.domain && wire.index == before.index + 1 && previous == *hash,
            None => wire.index != 0 || previous == GENESIS,
        };
        let hash = audit_hash(&record.value);
        if !follows || record.header("ce_hash").is_some_and(|stated| stated != hex(&hash)) {
            return Err(ChainError::Broken { at });
        }
        let (_, key) = keyring.verify_strict(Kind::Audit, record).map_err(|why| ChainError::Key { at, why })?;
        if !key.roles.contains(&Role::Engine) {
            return Err(ChainError::Key { at, why: KeyError::WrongRole });
        }
        last = Some((wire, hash));
    }
    Ok(last.map_or(GENESIS, |(_, hash)| hash))
}

#[cfg(test)]
mod tests;
