//! Who would obey: guards report each second, so a moment's listening tells.

use crate::commands::kafka_failure;
use crate::config::Config;
use crate::exit::Failure;
use crate::wiring;
use kafka::{Edge, Tail, TailConfig};
use model::{Knob, Target};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Longer than the second between two reports.
const LISTEN: Duration = Duration::from_millis(1500);

/// The instances of the target's service whose guards report, and say that they turn this knob.
pub(super) fn listening(config: &Config, target: &Target, knob: Knob) -> Result<BTreeSet<String>, Failure> {
    let reports = TailConfig::new(wiring::connection(config), &wiring::topics(config).reports, Edge::Latest);
    let mut reports = Tail::connect(&reports).map_err(kafka_failure)?;
    let (until, mut found) = (Instant::now() + LISTEN, BTreeSet::new());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(found);
        }
        let Some(record) = reports.next(left).map_err(kafka_failure)? else { continue };
        if let Ok(report) = control::decode_report(&record.into_record())
            && report.service == target.service
            && report.knobs.contains(&knob)
        {
            found.insert(report.instance);
        }
    }
}
