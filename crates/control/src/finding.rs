//! Findings, as they stand on the findings topic. Not signed: nobody acts on them by machine.

use crate::error::{WireError, from_json, to_json};
use crate::record::{Event, printable};
use crate::{Kind, Record};
use model::{Evidence, Finding};

/// A finding as a record; key `domain/finding`.
pub fn finding_record(domain: &str, finding: &Finding, issued_ms: u64) -> Record {
    let mut finding = finding.clone();
    finding.evidence.iter_mut().for_each(make_finite);
    finding.confidence = finite(finding.confidence);
    finding.coverage = finite(finding.coverage);
    finding.late = finite(finding.late);
    let key = format!("{domain}/{}", printable(&finding.id.0));
    let id = format!("{}.{}", finding.id.0, finding.at_ms);
    let event = Event { kind: Kind::Finding, domain, id: &id, subject: &finding.subject, time_ms: issued_ms };
    event.record(key, to_json(&finding))
}

/// Reads a finding.
///
/// # Errors
/// The value is too large or not a finding.
pub fn decode_finding(record: &Record) -> Result<Finding, WireError> {
    from_json("finding", &record.value)
}

/// JSON has no infinities: a measured fact keeps its sign and becomes the largest number; what is no number becomes 0.
pub(crate) fn make_finite(evidence: &mut Evidence) {
    evidence.value = finite(evidence.value);
    evidence.limit = finite(evidence.limit);
}

pub(crate) fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}
