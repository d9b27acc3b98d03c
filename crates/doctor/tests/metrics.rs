//! Promise: with metrics beside the spans it is said which services' spans agree with what these count, and by how much not.
#![allow(missing_docs)]

use doctor::{Answer, Examination, ExaminationConfig, Grade, Question, Report, Source};
use lab::lens::{Counter, Glass};
use lab::{Lens, World, WorldConfig, builtin};
use telemetry::Encoding;

const START_NS: u64 = 1_750_000_000_000_000_000;
const SECONDS: u64 = 80;
const STEP_NS: u64 = 250_000_000;

/// The healthy shop through `glass`, and what its services count every ten seconds; all metrics are read first, as of a capture.
fn examined(lens: Lens, services: impl Fn(&str) -> bool) -> Report {
    let shop = builtin("shop").expect("it comes with the program").scaled(0.3).with_first_fault_at(1e6);
    let mut world = World::new(shop.clone(), WorldConfig { seed: 3, start_unix_ns: START_NS, obey: false });
    let (mut glass, mut counter) = (Glass::unmarked(lens, 3, &shop), Counter::new(10));
    let mut batches = Vec::new();
    let mut examination = Examination::new(ExaminationConfig::default());
    for step in 1..=SECONDS * 1_000_000_000 / STEP_NS {
        world.run_until(step * STEP_NS);
        for export in world.take_exports() {
            glass.take(&export);
            if services(export.service()) {
                counter.take(&export);
            }
        }
        batches.extend(std::iter::from_fn(|| glass.due(START_NS + step * STEP_NS)));
        for record in counter.due(START_NS + step * STEP_NS) {
            examination.metrics(Encoding::OtlpJson, &record).expect("the fleet writes good metrics");
        }
    }
    for batch in batches {
        let mut bytes = Vec::new();
        batch.encode_into(Encoding::OtlpProto, &mut bytes);
        let from = Source { topic: "capture", partition: 0, arrival_ms: None };
        examination.record(from, Encoding::OtlpProto, &bytes).expect("the fleet writes good spans");
    }
    examination.report("capture")
}

fn metrics(report: &Report) -> &Answer {
    report.answer(Question::Metrics).expect("metrics came")
}

fn share(report: &Report, service: &str) -> Option<f64> {
    report.services.iter().find(|one| one.service == service).and_then(|one| one.counted_share)
}

#[test]
fn spans_of_all_calls_agree_with_the_metrics_and_services_without_metrics_are_named() {
    let report = examined(Lens::Plain, |service| service != "search");
    let answer = metrics(&report);
    assert_eq!((answer.grade, answer.figures["agree"]), (Grade::A, answer.figures["compared"]), "{answer:?}");
    assert!(answer.figures["compared"] >= 8.0, "{answer:?}");
    assert!(
        answer.details.iter().any(|detail| detail.contains("no metrics") && detail.contains("search")),
        "{answer:?}"
    );
    assert!(share(&report, "gateway").is_some_and(|share| (share - 1.0).abs() < 0.02));
    assert_eq!(share(&report, "search"), None);
}

#[test]
fn a_tenth_of_the_spans_is_told_in_percent() {
    let report = examined(Lens::Head, |_| true);
    let answer = metrics(&report);
    assert!((Grade::B..=Grade::C).contains(&answer.grade) && answer.figures["agree"] == 0.0, "{answer:?}");
    assert!(share(&report, "gateway").is_some_and(|share| (share - 0.1).abs() < 0.02), "{report:?}");
    assert!(answer.details[0].contains("its spans show"), "{answer:?}");
}

#[test]
fn without_metrics_nothing_is_asked_and_what_cannot_be_compared_is_said() {
    let mut examination = Examination::new(ExaminationConfig::default());
    assert!(examination.metrics(Encoding::OtlpJson, b"{\"resourceMetrics\": 3}").is_err());
    let from = Source { topic: "capture", partition: 0, arrival_ms: None };
    drop(examination.record(from, Encoding::OtlpJson, b"{\"resourceSpans\": []}"));
    assert_eq!(examination.report("capture").answer(Question::Metrics), None, "of no spans nothing more is asked");
    assert_eq!(examined(Lens::Plain, |_| false).answer(Question::Metrics), None);
}
