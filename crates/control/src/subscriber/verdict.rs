//! What became of a record, and how often.

use crate::KeyError;
use std::collections::BTreeMap;

/// What a subscriber did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is now the highest of its key. Whether it is in force is a question of time.
    Accepted,
    /// It changes nothing.
    Dropped(Drop),
}

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Drop {
    /// It has no value: cleaning up, which never ends a lease.
    Tombstone,
    /// It is for another domain.
    WrongDomain,
    /// It is for other instances.
    NotForMe,
    /// It is too large, or not a command of the schema.
    Malformed,
    /// The record key does not name the command's target and knob.
    KeyMismatch,
    /// It is a proposal.
    NotToObey,
    /// A command of the same key with the same or a higher (epoch, sequence) is held.
    Older,
    /// It carries no signature.
    Unsigned,
    /// It was signed by a key that is not in the keyring.
    UnknownKey,
    /// The signature does not fit.
    BadSignature,
    /// The key may not sign commands.
    WrongRole,
    /// The key was not valid at that time.
    WrongTime,
    /// The key is not valid for that target.
    WrongTarget,
    /// It reached the broker long after it was signed: somebody replays it.
    Late,
    /// There is no room for another key.
    Full,
}

impl Drop {
    /// The reason as a label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Drop::Tombstone => "tombstone",
            Drop::WrongDomain => "wrong_domain",
            Drop::NotForMe => "not_for_me",
            Drop::Malformed => "malformed",
            Drop::KeyMismatch => "key_mismatch",
            Drop::NotToObey => "not_to_obey",
            Drop::Older => "older",
            Drop::Unsigned => "unsigned",
            Drop::UnknownKey => "unknown_key",
            Drop::BadSignature => "bad_signature",
            Drop::WrongRole => "wrong_role",
            Drop::WrongTime => "wrong_time",
            Drop::WrongTarget => "wrong_target",
            Drop::Late => "late",
            Drop::Full => "full",
        }
    }
}

impl From<KeyError> for Drop {
    fn from(why: KeyError) -> Drop {
        match why {
            KeyError::Unsigned => Drop::Unsigned,
            KeyError::UnknownKey | KeyError::BadKey => Drop::UnknownKey,
            KeyError::BadSignature => Drop::BadSignature,
            KeyError::WrongRole => Drop::WrongRole,
            KeyError::WrongTime => Drop::WrongTime,
            KeyError::WrongTarget => Drop::WrongTarget,
        }
    }
}

/// How many records were accepted and dropped since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Accepted records.
    pub accepted: u64,
    /// Dropped records by reason.
    pub dropped: BTreeMap<Drop, u64>,
}

impl Counters {
    pub(crate) fn count(&mut self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Dropped(why) => *self.dropped.entry(why).or_default() += 1,
        }
        verdict
    }
}
