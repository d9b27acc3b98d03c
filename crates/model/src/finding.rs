//! A finding: something is forming, with its evidence.

use crate::Evidence;
use serde::{Deserialize, Serialize};

/// Names a finding: a hash of domain, signature, subject and the incident's onset, in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingId(pub String);

/// The cascade signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Queue delay beyond the client's timeout, and offered load above capacity.
    Metastable,
    /// Attempts per first attempt above what was learned.
    RetryAmplification,
    /// Deviations move along edges, from callee to caller.
    #[default]
    DeviationFront,
    /// First-attempt load is back where it was served before, goodput is not.
    Hysteresis,
    /// Given by a person, not by a detector.
    Manual,
    /// Some instances of a service fail their callers, their peers do not.
    Outlier,
    /// Deep inside, requests of a higher class are refused while lower ones are let in.
    Inversion,
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// First seen.
    #[default]
    Opened,
    /// Still there, with new evidence.
    Changed,
    /// Gone.
    Closed,
}

/// A cascade signature that holds, as it goes to the findings topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// Where it stands.
    pub state: FindingState,
    /// What it looks like.
    pub signature: Signature,
    /// Where: a service, `caller->callee`, or a part of a service (`service@version=…`, `service@instance=…`).
    pub subject: String,
    /// The likely origin, if it can be told apart; `None` is an abstention.
    pub origin: Option<String>,
    /// Services that are affected, sorted.
    pub affected: Vec<String>,
    /// One sentence for the person who is woken up.
    pub summary: String,
    /// The facts.
    pub evidence: Vec<Evidence>,
    /// How sure the program is, 0..1.
    pub confidence: f64,
    /// The share of the telemetry behind it that is complete, paired and of known weight, 0..1.
    pub coverage: f64,
    /// The share of the spans of the window that this state rests on which came after their own window had closed, 0..1.
    #[serde(default)]
    pub late: f64,
    /// How long after its end that window was settled, by the engine's last tick, milliseconds; 0 before the first tick.
    #[serde(default)]
    pub behind_ms: u64,
    /// What happens next if nobody acts, in words.
    pub predicts: String,
    /// The end of the window in which it began, Unix milliseconds.
    pub since_ms: u64,
    /// The end of the window that this state rests on, Unix milliseconds.
    pub at_ms: u64,
}
