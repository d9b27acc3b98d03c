//! What a signature saw in one window: the material of a finding, without a life of its own.

use model::{Evidence, NameId, Signature};
use std::collections::BTreeSet;

/// A signature that holds in this window.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspicion {
    /// Which.
    pub signature: Signature,
    /// The service or edge it holds for, as it is shown.
    pub subject: String,
    /// The service that is overloaded, or where the front stands deepest.
    pub service: NameId,
    /// The likely origin; `None` is an abstention.
    pub origin: Option<NameId>,
    /// Affected services.
    pub affected: BTreeSet<NameId>,
    /// One sentence.
    pub summary: String,
    /// The facts, the strongest first.
    pub evidence: Vec<Evidence>,
    /// Strength of the evidence as [`learn::Calibration::SIGNATURE`] counts it.
    pub strength: f64,
    /// What happens next if nobody acts.
    pub predicts: String,
}
