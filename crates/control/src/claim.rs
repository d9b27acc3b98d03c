//! The claim of a domain: whoever's claim stands last owns it, and the claim's offset is the epoch.

use crate::error::{WireError, from_json, to_json};
use crate::record::Event;
use crate::{Kind, Record};
use serde::{Deserialize, Serialize};

/// Who claims a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claim {
    /// The domain.
    pub domain: String,
    /// The process that claims it: host and process id, or a pod's name.
    pub owner: String,
    /// The program's version.
    pub version: String,
    /// When, by the claimant's clock, Unix milliseconds.
    pub at_ms: u64,
}

/// A claim as a record; key `domain`.
pub fn claim_record(claim: &Claim) -> Record {
    let id = format!("{}/{}/{}", claim.domain, claim.owner, claim.at_ms);
    let event =
        Event { kind: Kind::Claim, domain: &claim.domain, id: &id, subject: &claim.owner, time_ms: claim.at_ms };
    event.record(claim.domain.clone(), to_json(claim))
}

/// Reads a claim.
///
/// # Errors
/// The value is too large, not a claim, or its key names another domain.
pub fn decode_claim(record: &Record) -> Result<Claim, WireError> {
    let claim: Claim = from_json("claim", &record.value)?;
    if record.key != claim.domain {
        let (key, expected) = (record.key.clone(), claim.domain);
        return Err(WireError::KeyMismatch { what: "claim", key, expected });
    }
    Ok(claim)
}
