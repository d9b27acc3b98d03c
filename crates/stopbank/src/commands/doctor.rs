//! `stopbank doctor`: records of files or topics into an examination, and its report out.

use super::topics::{self, Listening};
use crate::cli::Doctor as Arguments;
use crate::config::Config;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::{capture, wiring};
use doctor::{Examination, ExaminationConfig, Grade, Report, Source as From};
use std::path::{Path, PathBuf};
use telemetry::Encoding;

/// The report must come to an end also on a machine with little memory.
const WINDOW_BYTES: usize = 128 << 20;

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    crate::logs::start("error", format);
    let mut config = super::configuration(arguments.config.as_deref())?;
    if let Some(brokers) = &arguments.brokers {
        config.kafka.brokers.clone_from(brokers);
    }
    if !arguments.topics.is_empty() {
        config.telemetry.traces_topics.clone_from(&arguments.topics);
    }
    if !arguments.metrics.is_empty() {
        config.telemetry.metrics_topics.clone_from(&arguments.metrics);
    }
    let examination = Examination::new(ExaminationConfig {
        reader: wiring::reader(&config),
        window: window::ShardConfig { budget_bytes: WINDOW_BYTES, ..wiring::window(&config) },
        ..ExaminationConfig::default()
    });
    let report = match arguments.files.is_empty() {
        false => files(examination, arguments)?,
        true => topics(examination, arguments, &config)?,
    };
    match format {
        Format::Json => print::json(&report)?,
        Format::Text => print::line(doctor::text(&report).trim_end())?,
    }
    verdict(&report, arguments)
}

fn files(mut examination: Examination, arguments: &Arguments) -> Result<Report, Failure> {
    let (metrics, traces): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.files.iter().partition(|path| capture::begins_with_metrics(path));
    for path in arguments.metrics.iter().map(Path::new).chain(metrics.into_iter().map(PathBuf::as_path)) {
        capture::records(path, &mut |encoding, record| drop(examination.metrics(encoding, record)))?;
    }
    for path in traces {
        let name = file_name(path);
        let from = From { topic: &name, partition: 0, arrival_ms: None };
        // What cannot be read is part of the diagnosis.
        capture::records(path, &mut |encoding, record| drop(examination.record(from, encoding, record)))?;
        examination.next_file();
    }
    let subject = match &arguments.files[..] {
        [one] => file_name(one),
        all => format!("{} files", all.len()),
    };
    Ok(examination.report(&subject))
}

fn topics(mut examination: Examination, arguments: &Arguments, config: &Config) -> Result<Report, Failure> {
    let listening = Listening { duration: arguments.duration.duration(), from_beginning: arguments.from_beginning };
    let metrics = &config.telemetry.metrics_topics;
    let mut all = config.clone();
    all.telemetry.traces_topics.extend_from_slice(metrics);
    let source = topics::connect(&all, &listening)?;
    for one in source.partitions().into_iter().filter(|one| !metrics.contains(&one.partition.topic)) {
        examination.expect(&one.partition.topic, one.partition.partition);
    }
    topics::listen(source, &listening, &mut |record| {
        if metrics.iter().any(|topic| topic == record.topic) {
            drop(examination.metrics(Encoding::Auto, record.payload));
            return 0;
        }
        let arrival_ms = record.timestamp_ms.and_then(|ms| u64::try_from(ms).ok());
        let from = From { topic: record.topic, partition: record.partition, arrival_ms };
        examination.record(from, config.telemetry.encoding, record.payload).unwrap_or(0)
    })?;
    Ok(examination.report(&config.telemetry.traces_topics.join(", ")))
}

/// The exit code: 4 where a grade is worse than what was asked for.
fn verdict(report: &Report, arguments: &Arguments) -> Result<(), Failure> {
    let Some(worst) = arguments.fail_under else { return Ok(()) };
    let told = |what: &str, grade: Grade| Failure::grade(format!("{what}: {grade} is worse than {worst}"));
    if arguments.questions.is_empty() {
        return if report.grade > worst { Err(told("the telemetry", report.grade)) } else { Ok(()) };
    }
    for question in &arguments.questions {
        // What could not even be asked is the worst answer.
        let grade = report.answer(*question).map_or(Grade::F, |answer| answer.grade);
        if grade > worst {
            return Err(told(question.as_str(), grade));
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
