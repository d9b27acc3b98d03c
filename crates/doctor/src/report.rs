//! The report: what was asked, what was answered, what is therefore impossible, and what mends it.

use crate::ability::{Ability, abilities};
use crate::anatomy::BREAK_S;
use crate::question::{Answer, ask, of_service};
use crate::seen::Seen;
use crate::{Grade, Question};
use serde::Serialize;

/// Rows of a table in the report at most.
const ROWS_MAX: usize = 1_000;

/// What a doctor says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Always `doctor`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What was examined.
    pub subject: String,
    /// The worst of all grades.
    pub grade: Grade,
    /// What was counted.
    pub census: Census,
    /// The answers, the worst first.
    pub answers: Vec<Answer>,
    /// What can be found, the least possible first.
    pub abilities: Vec<Ability>,
    /// Each service, the worst seen first.
    pub services: Vec<ServiceReport>,
    /// Each partition, or file.
    pub partitions: Vec<PartitionReport>,
    /// Who sends, the latest first.
    pub exporters: Vec<ExporterReport>,
    /// Hosts whose clocks disagree, the worst first.
    pub skews: Vec<SkewReport>,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Census {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that could not be read.
    pub poison: u64,
    /// Spans.
    pub spans: u64,
    /// Seconds of event time, without breaks.
    pub seconds: u64,
    /// Services.
    pub services: usize,
    /// Traces that were looked at as a whole.
    pub traces: u64,
    /// One trace in so many was looked at as a whole.
    pub traces_one_in: u64,
    /// The first span's end, Unix milliseconds.
    pub first_ms: u64,
    /// The last span's end, Unix milliseconds.
    pub last_ms: u64,
}

/// How well a service is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceReport {
    /// Its identity.
    pub service: String,
    /// How well.
    pub grade: Grade,
    /// Why not better; empty for A.
    pub why: String,
    /// Its spans.
    pub spans: u64,
    /// Of these, server, consumer and producer spans.
    pub requests: u64,
    /// Of these, client spans.
    pub calls: u64,
    /// Operations.
    pub operations: usize,
    /// Instances.
    pub instances: usize,
    /// Versions.
    pub versions: Vec<String>,
    /// Spans whose parents are missing, 0..1.
    pub orphans_share: f64,
    /// Calls to services that emit spans, without the other half, 0..1.
    pub unanswered_share: f64,
    /// Spans of a sampler that prefers some outcomes, 0..1.
    pub biased_share: f64,
    /// Calls that its spans show, of those that it counted itself (1 for all of them); `None` without metrics.
    pub counted_share: Option<f64>,
    /// What its spans show of what it counted itself.
    pub counted: Option<String>,
    /// Too quiet to be judged within a minute.
    pub cold: bool,
}

/// A partition, or a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartitionReport {
    /// `topic/partition`, or the file.
    pub partition: String,
    /// Records.
    pub records: u64,
    /// Spans.
    pub spans: u64,
    /// Behind the newest end on the partition came half of the spans within so many milliseconds.
    pub late_p50_ms: u64,
    /// 99 % of them.
    pub late_p99_ms: u64,
    /// All of them.
    pub late_max_ms: u64,
    /// How old half of the spans were at most when their record was written; `None` where records have no time.
    pub age_p50_ms: Option<u64>,
    /// 99 % of them.
    pub age_p99_ms: Option<u64>,
}

/// Who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExporterReport {
    /// The instance, or the service where there is none.
    pub exporter: String,
    /// Its service.
    pub service: String,
    /// Spans.
    pub spans: u64,
    /// Half of them came within so many milliseconds behind the newest end of their partition.
    pub late_p50_ms: u64,
    /// 99 % of them.
    pub late_p99_ms: u64,
    /// All of them.
    pub late_max_ms: u64,
    /// Its last span's end lies so many milliseconds before the end of the telemetry.
    pub silent_ms: u64,
}

/// Two hosts whose clocks disagree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkewReport {
    /// The calling instance.
    pub caller: String,
    /// The called instance.
    pub callee: String,
    /// Paired calls between them.
    pub calls: usize,
    /// Callee's clock minus caller's, milliseconds: at least so far from zero.
    pub least_ms: f64,
    /// The likely value.
    pub likely_ms: f64,
}

impl Report {
    pub(crate) fn of(seen: &Seen, subject: &str, live: bool) -> Report {
        let answers = ask(seen, live);
        let grade = answers.iter().map(|answer| answer.grade).max().unwrap_or(Grade::F);
        let mut services: Vec<ServiceReport> = seen.services.keys().map(|id| of_service(seen, *id)).collect();
        services.sort_by(|a, b| b.grade.cmp(&a.grade).then(b.spans.cmp(&a.spans)).then(a.service.cmp(&b.service)));
        services.truncate(ROWS_MAX);
        Report {
            kind: "doctor",
            subject: subject.to_owned(),
            grade,
            census: census(seen),
            abilities: abilities(&answers),
            answers,
            services,
            partitions: partitions(seen),
            exporters: exporters(seen),
            skews: skews(seen),
        }
    }

    /// The answer to a question, if it could be asked.
    pub fn answer(&self, question: Question) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.question == question)
    }
}

fn census(seen: &Seen) -> Census {
    Census {
        records: seen.records,
        bytes: seen.bytes,
        poison: seen.poison,
        spans: seen.spans,
        seconds: seen.seconds_seen(BREAK_S),
        services: seen.services.len(),
        traces: seen.anatomy.traces,
        traces_one_in: seen.one_in,
        first_ms: seen.first_ns / 1_000_000,
        last_ms: seen.last_ns / 1_000_000,
    }
}

fn partitions(seen: &Seen) -> Vec<PartitionReport> {
    let age = |one: &crate::seen::PartitionSeen, permille| (one.age.total() > 0).then(|| one.age.quantile_ms(permille));
    let mut rows: Vec<PartitionReport> = seen
        .partitions
        .iter()
        .map(|one| PartitionReport {
            partition: one.name.clone(),
            records: one.records,
            spans: one.spans,
            late_p50_ms: one.lateness.quantile_ms(500),
            late_p99_ms: one.lateness.quantile_ms(990),
            late_max_ms: one.lateness.max_ms(),
            age_p50_ms: age(one, 500),
            age_p99_ms: age(one, 990),
        })
        .collect();
    rows.truncate(ROWS_MAX);
    rows
}

fn exporters(seen: &Seen) -> Vec<ExporterReport> {
    let mut rows: Vec<ExporterReport> = seen
        .exporters
        .iter()
        .map(|(id, one)| ExporterReport {
            exporter: seen.texts.of(*id).to_owned(),
            service: seen.texts.of(one.service).to_owned(),
            spans: one.spans,
            late_p50_ms: one.lateness.quantile_ms(500),
            late_p99_ms: one.lateness.quantile_ms(990),
            late_max_ms: one.lateness.max_ms(),
            silent_ms: (seen.last_ns - one.last_ns) / 1_000_000,
        })
        .collect();
    rows.sort_by(|a, b| b.late_p99_ms.cmp(&a.late_p99_ms).then(a.exporter.cmp(&b.exporter)));
    rows.truncate(ROWS_MAX);
    rows
}

fn skews(seen: &Seen) -> Vec<SkewReport> {
    let row = |skew: &crate::anatomy::Skew| SkewReport {
        caller: seen.texts.of(skew.caller).to_owned(),
        callee: seen.texts.of(skew.callee).to_owned(),
        calls: skew.calls,
        least_ms: skew.least_ns as f64 / 1e6,
        likely_ms: skew.likely_ns as f64 / 1e6,
    };
    seen.anatomy.skews.iter().take(ROWS_MAX).map(row).collect()
}
