//! Guards' reports, as they stand on the reports topic.

use crate::error::{WireError, from_json, to_json};
use crate::record::{Event, printable};
use crate::{Kind, Record};
use model::GuardReport;

/// A report as a record; key `service/instance`.
pub fn report_record(domain: &str, report: &GuardReport) -> Record {
    let key = report_key(report);
    let id = format!("{key}/{}", report.at_ms);
    let event = Event { kind: Kind::Report, domain, id: &id, subject: &key, time_ms: report.at_ms };
    event.record(key.clone(), to_json(report))
}

/// Reads a report. It is not signed: the engine believes it about its own instance only.
///
/// # Errors
/// The value is too large, not a report, or its key names another instance.
pub fn decode_report(record: &Record) -> Result<GuardReport, WireError> {
    let report: GuardReport = from_json("report", &record.value)?;
    let expected = report_key(&report);
    if record.key != expected {
        return Err(WireError::KeyMismatch { what: "report", key: record.key.clone(), expected });
    }
    Ok(report)
}

fn report_key(report: &GuardReport) -> String {
    format!("{}/{}", printable(&report.service), printable(&report.instance))
}
