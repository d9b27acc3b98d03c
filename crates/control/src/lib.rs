//! The contract of commands, proposals, findings, reports, orders and the audit trail: what stands on each topic, who may
//! sign it, and the rule by which a subscriber obeys.
//!
//! Pure: no clock, no IO, no randomness; time and entropy are arguments. Kafka and HTTP live elsewhere. Invariant: a
//! value that was not signed by a key for its target, that is older than what is held, or that has expired is never in
//! force, in whatever order records arrive.
#![forbid(unsafe_code)]

mod audit;
mod claim;
mod command;
mod dead_letter;
mod error;
mod finding;
mod journal;
mod keyfile;
mod keys;
mod kind;
mod order;
mod pattern;
mod record;
mod report;
#[cfg(feature = "schema")]
mod schema;
mod signer;
mod subscriber;
mod time;

pub use audit::{AuditChain, AuditWire, ChainError, GENESIS, audit_hash, decode_audit, verify_chain};
pub use claim::{Claim, claim_record, decode_claim};
pub use command::{CommandWire, TTL_MAX_MS, command_key, decode_command};
pub use dead_letter::{DeadLetter, HEAD_BYTES_MAX, dead_letter_record, decode_dead_letter};
pub use error::WireError;
pub use finding::{decode_finding, finding_record};
pub use journal::{JOURNAL_HEADER, JournalHeader, decode_journal_header, journal_record};
pub use keyfile::{KeyFileError, parse_keyring, parse_seed, public_key_line, seed_file};
pub use keys::{Key, KeyError, Keyring, Role, key_id};
pub use kind::Kind;
pub use order::{ORDER_AGE_MAX_MS, OrderGate, OrderRefusal, order_key};
pub use pattern::{TargetPattern, glob};
pub use record::{Record, VALUE_BYTES_MAX};
pub use report::{decode_report, report_record};
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use signer::{Signer, signature_input};
pub use subscriber::{Bound, Clamps, Counters, Drop, InForce, LATE_MAX_MS, Me, Subscriber, Verdict, instance_share};
pub use time::{parse_rfc3339_ms, rfc3339};
