//! Promise: each kind of broken telemetry is diagnosed by its name, and clean telemetry has a clean bill.
//!
//! One healthy stretch of the simulated shop, as OTLP/JSON, is broken in one way at a time.
#![allow(missing_docs, clippy::unwrap_used)] // helpers of tests unwrap as tests do

use doctor::{Ability, Examination, ExaminationConfig, Findable, Grade, Question, Report, Source, State};
use lab::generate::{Generator, Rate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use telemetry::Encoding;

const SECONDS: u64 = 18;
const START_NS: u64 = 1_750_000_000_000_000_000;

/// The shop before its fault begins, a record each.
static CLEAN: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let shop = lab::builtin("shop").unwrap();
    let mut generator = Generator::new(&shop, 5, Rate::SpansPerSecond(1500.0), Encoding::OtlpJson, START_NS);
    let (mut records, mut bytes) = (Vec::new(), Vec::new());
    while let Some(meta) = generator.next_record(&mut bytes) {
        if meta.at_ns > START_NS + SECONDS * 1_000_000_000 {
            break;
        }
        records.push(serde_json::from_slice(&bytes).unwrap());
    }
    records
});

fn examined(records: &[Value]) -> Report {
    let lines: Vec<Vec<u8>> = records.iter().map(|record| serde_json::to_vec(record).unwrap()).collect();
    examined_bytes(&lines)
}

fn examined_bytes(records: &[Vec<u8>]) -> Report {
    let mut examination = Examination::new(ExaminationConfig::default());
    for record in records {
        let from = Source { topic: "capture", partition: 0, arrival_ms: None };
        drop(examination.record(from, Encoding::Auto, record));
    }
    examination.report("capture")
}

/// The clean records with every span that `change` says no to left out.
fn broken(mut change: impl FnMut(&str, &mut Value) -> bool) -> Vec<Value> {
    let mut records = CLEAN.clone();
    for record in &mut records {
        for resource in record["resourceSpans"].as_array_mut().unwrap() {
            let service = attribute(&resource["resource"], "service.name").unwrap_or_default();
            for scope in resource["scopeSpans"].as_array_mut().unwrap() {
                scope["spans"].as_array_mut().unwrap().retain_mut(|span| change(&service, span));
            }
        }
    }
    records
}

/// The clean records with their resources changed.
fn redescribed(mut change: impl FnMut(&str, &mut Vec<Value>)) -> Vec<Value> {
    let mut records = CLEAN.clone();
    for record in &mut records {
        for resource in record["resourceSpans"].as_array_mut().unwrap() {
            let service = attribute(&resource["resource"], "service.name").unwrap_or_default();
            change(&service, resource["resource"]["attributes"].as_array_mut().unwrap());
        }
    }
    records
}

fn attribute(of: &Value, key: &str) -> Option<String> {
    let all = of["attributes"].as_array()?;
    let found = all.iter().find(|one| one["key"] == key)?;
    found["value"]["stringValue"].as_str().map(str::to_owned)
}

fn set(of: &mut Value, key: &str, value: Value) {
    if !of["attributes"].is_array() {
        of["attributes"] = json!([]);
    }
    of["attributes"].as_array_mut().unwrap().push(json!({"key": key, "value": value}));
}

fn is(span: &Value, kind: u64) -> bool {
    span["kind"] == kind
        || span["kind"].as_str() == Some(["", "", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"][kind as usize])
}

const SERVER: u64 = 2;
const CLIENT: u64 = 3;

fn low_share(span: &Value) -> f64 {
    u64::from_str_radix(&span["traceId"].as_str().unwrap()[16..], 16).unwrap() as f64 / u64::MAX as f64
}

fn shifted(span: &mut Value, by_ns: i64) {
    for key in ["startTimeUnixNano", "endTimeUnixNano"] {
        let time: u64 = span[key].as_str().unwrap().parse().unwrap();
        span[key] = json!((time as i64 + by_ns).to_string());
    }
}

fn grade(report: &Report, question: Question) -> Grade {
    report.answer(question).unwrap().grade
}

fn told(report: &Report, question: Question) -> String {
    let answer = report.answer(question).unwrap();
    format!("{}\n{}", answer.summary, answer.details.join("\n"))
}

fn state(report: &Report, finding: Findable) -> State {
    report.abilities.iter().find(|one: &&Ability| one.finding == finding).unwrap().state
}

/// Everything that is not asked about stays as good as it was.
fn only(report: &Report, worse: &[Question]) {
    for answer in &report.answers {
        let expected = worse.contains(&answer.question);
        assert!(expected || answer.grade <= Grade::B, "{}", doctor::text(report));
        assert!(!expected || answer.grade > Grade::A, "{}", doctor::text(report));
    }
}

#[test]
fn clean_telemetry_has_a_clean_bill() {
    let report = examined(&CLEAN);
    let text = doctor::text(&report);
    assert!(report.grade <= Grade::B, "{text}");
    assert_eq!(report.census.poison, 0);
    assert!(report.census.services >= 10 && report.census.spans > 10_000, "{text}");
    for question in [
        Question::Pairing,
        Question::Orphans,
        Question::Sampling,
        Question::Clocks,
        Question::Duplicates,
        Question::Names,
    ] {
        assert_eq!(grade(&report, question), Grade::A, "{text}");
    }
    assert!(report.abilities.iter().all(|one| one.state != State::Impossible), "{text}");
    assert!(report.services.iter().all(|one| one.grade == Grade::A), "{text}");
}

#[test]
fn records_that_cannot_be_read_are_counted_and_the_first_is_named() {
    let mut records: Vec<Vec<u8>> = CLEAN.iter().map(|record| serde_json::to_vec(record).unwrap()).collect();
    let every = records.len() / 20;
    (0..20).for_each(|at| records.insert(at * every, b"hello world".to_vec()));
    let report = examined_bytes(&records);
    only(&report, &[Question::Encodings]);
    assert_eq!(report.census.poison, 20);
    assert!(told(&report, Question::Encodings).contains("hello world"), "{}", doctor::text(&report));
    let nothing = examined_bytes(&[b"hello world".to_vec()]);
    assert_eq!((nothing.grade, nothing.answers.len()), (Grade::F, 2));
    assert_eq!(state(&nothing, Findable::Rates), State::Impossible);
}

#[test]
fn lost_spans_inside_a_process_leave_orphans_there() {
    let mut turn = 0;
    let report = examined(&broken(|service, span| {
        turn += 1;
        !(service == "gateway" && is(span, SERVER) && turn % 3 == 0)
    }));
    assert!(grade(&report, Question::Orphans) >= Grade::C, "{}", doctor::text(&report));
    assert!(
        told(&report, Question::Orphans).contains("spans inside gateway: the span around them"),
        "{}",
        doctor::text(&report)
    );
    assert!(report.services.iter().any(|one| one.service == "gateway" && one.orphans_share > 0.1));
    assert!(state(&report, Findable::SheddingByFlow) > State::Ok);
}

#[test]
fn callers_that_send_nothing_are_told_from_callers_that_lost_some() {
    let nothing = examined(&broken(|service, _| service != "gateway"));
    assert!(told(&nothing, Question::Orphans).contains("no caller of it was ever seen"), "{}", doctor::text(&nothing));
    let mut turn = 0;
    let some = examined(&broken(|_, span| {
        turn += 1;
        !(is(span, CLIENT) && turn % 3 == 0)
    }));
    assert!(told(&some, Question::Orphans).contains("their callers' spans were lost"), "{}", doctor::text(&some));
}

#[test]
fn a_context_that_is_not_passed_on_is_told_from_lost_server_spans() {
    let mut number = 0u64;
    let unpassed = examined(&broken(|service, span| {
        if service == "inventory" && is(span, SERVER) {
            number += 1;
            // Random enough: the ids of a broken trace come from the same generator as all others.
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            span["traceId"] = json!(format!("{:016x}{:016x}", mixed, mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9)));
            span["parentSpanId"] = json!("");
        }
        true
    }));
    let text = doctor::text(&unpassed);
    assert!(grade(&unpassed, Question::Pairing) >= Grade::C, "{text}");
    assert!(told(&unpassed, Question::Pairing).contains("the context is not passed on"), "{text}");
    assert!(text.contains("OTEL_PROPAGATORS=tracecontext,baggage"), "{text}");
    let mut turn = 0;
    let lost = examined(&broken(|service, span| {
        turn += 1;
        !(service == "inventory" && is(span, SERVER) && turn % 2 == 0)
    }));
    let told = told(&lost, Question::Pairing);
    assert!(told.contains("to inventory have no server span") && !told.contains("not passed on"), "{told}");
}

#[test]
fn an_undeclared_head_sampler_is_read_from_the_trace_ids_and_a_declared_one_is_believed() {
    let kept = |_: &str, span: &mut Value| low_share(span) < 0.2;
    let report = examined(&broken(kept));
    only(&report, &[Question::Sampling]);
    let answer = report.answer(Question::Sampling).unwrap();
    assert_eq!(answer.grade, Grade::D, "{}", doctor::text(&report));
    assert!((answer.figures["sampled_share"] - 0.2).abs() < 0.02, "{answer:?}");
    assert_eq!(state(&report, Findable::Capacity), State::Impossible);
    let declared = examined(&broken(|service, span| {
        span["traceState"] = json!("ot=th:cccccccccccccc");
        kept(service, span)
    }));
    let answer = declared.answer(Question::Sampling).unwrap();
    assert_eq!(answer.grade, Grade::A, "{}", doctor::text(&declared));
    assert!((answer.figures["mean_weight"] - 5.0).abs() < 0.1, "{answer:?}");
}

#[test]
fn samplers_that_prefer_failures_are_recognised_by_their_marks() {
    let by_attribute = examined(&broken(|_, span| {
        set(span, "tailsampling.policy", json!({"stringValue": "errors"}));
        true
    }));
    assert_eq!(grade(&by_attribute, Question::Sampling), Grade::F, "{}", doctor::text(&by_attribute));
    // One trace in ten fails; all of those are kept, and a tenth of the others.
    let fails = |span: &Value| low_share(span).fract() * 1e6 % 10.0 < 1.0;
    let by_ids = examined(&broken(|_, span| {
        if fails(span) {
            span["status"] = json!({"code": 2});
            return true;
        }
        low_share(span) < 0.1
    }));
    let told_of = told(&by_ids, Question::Sampling);
    assert!(grade(&by_ids, Question::Sampling) >= Grade::D, "{}", doctor::text(&by_ids));
    assert!(told_of.contains("those with one are all kept"), "{told_of}");
    let failing_only = examined(&broken(|_, span| {
        span["status"] = json!({"code": 2});
        fails(span)
    }));
    assert!(told(&failing_only, Question::Sampling).contains("hold a failure"), "{}", doctor::text(&failing_only));
    assert!(grade(&failing_only, Question::Sampling) >= Grade::C);
}

#[test]
fn a_late_exporter_is_named_and_graded_by_its_own_lateness() {
    let mut records = Vec::new();
    let mut held: Vec<(u64, Value)> = Vec::new();
    for record in CLEAN.iter() {
        let at = newest_ns(record);
        let of_inventory =
            attribute(&record["resourceSpans"][0]["resource"], "service.name").as_deref() == Some("inventory");
        if of_inventory {
            held.push((at + 12_000_000_000, record.clone()));
        } else {
            held.iter().filter(|(due, _)| *due <= at).for_each(|(_, record)| records.push(record.clone()));
            held.retain(|(due, _)| *due > at);
            records.push(record.clone());
        }
    }
    let report = examined(&records);
    let text = doctor::text(&report);
    assert!(grade(&report, Question::Lateness) >= Grade::D, "{text}");
    assert!(told(&report, Question::Lateness).contains("(inventory): half within 1"), "{text}");
    assert_eq!(report.exporters[0].service, "inventory", "{text}");
}

fn newest_ns(record: &Value) -> u64 {
    let spans = record["resourceSpans"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
    let spans = spans.flat_map(|scope| scope["spans"].as_array().unwrap());
    spans.map(|span| span["endTimeUnixNano"].as_str().unwrap().parse().unwrap()).max().unwrap_or(0)
}

#[test]
fn a_clock_that_is_ahead_is_measured_to_the_millisecond_and_the_host_is_named() {
    let report = examined(&broken(|service, span| {
        if service == "inventory" {
            shifted(span, 1_000_000_000);
        }
        true
    }));
    let text = doctor::text(&report);
    assert_eq!(grade(&report, Question::Clocks), Grade::D, "{text}");
    let worst = &report.skews[0];
    assert!(worst.callee.contains("inventory") && (990.0..=1_000.5).contains(&worst.least_ms), "{worst:?}");
    assert!((worst.likely_ms - 1_000.0).abs() < 10.0, "{worst:?}");
    assert!(told(&report, Question::Clocks).contains("ahead of"), "{text}");
}

#[test]
fn repeated_records_and_doubled_instrumentation_are_told_apart() {
    let repeated: Vec<Value> = CLEAN.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
    let report = examined(&repeated);
    only(&report, &[Question::Duplicates]);
    assert!(
        told(&report, Question::Duplicates).contains("50.0 % of the spans came more than once"),
        "{}",
        doctor::text(&report)
    );
    let mut records = CLEAN.clone();
    for spans in records.iter_mut().flat_map(|record| record["resourceSpans"].as_array_mut().unwrap()) {
        if attribute(&spans["resource"], "service.name").as_deref() != Some("checkout") {
            continue;
        }
        for scope in spans["scopeSpans"].as_array_mut().unwrap() {
            let servers: Vec<Value> =
                scope["spans"].as_array().unwrap().iter().filter(|span| is(span, SERVER)).cloned().collect();
            for mut server in servers {
                server["parentSpanId"] = server["spanId"].clone();
                let id = u64::from_str_radix(server["spanId"].as_str().unwrap(), 16).unwrap();
                server["spanId"] = json!(format!("{:016x}", !id));
                scope["spans"].as_array_mut().unwrap().push(server);
            }
        }
    }
    let nested = examined(&records);
    assert!(grade(&nested, Question::Duplicates) >= Grade::B, "{}", doctor::text(&nested));
    assert!(
        told(&nested, Question::Duplicates).contains("requests of checkout have a server span right under another one")
    );
}

#[test]
fn missing_names_kinds_versions_and_instances_are_named_with_their_services() {
    let nameless = examined(&redescribed(|service, all| {
        if service == "inventory" {
            all.retain(|one| one["key"] != "service.name");
        }
    }));
    assert_eq!(grade(&nameless, Question::Attributes), Grade::F, "{}", doctor::text(&nameless));
    let kindless = examined(&broken(|service, span| {
        if service == "inventory" {
            span["kind"] = json!(0);
        }
        true
    }));
    assert!(grade(&kindless, Question::Attributes) >= Grade::D, "{}", doctor::text(&kindless));
    assert!(told(&kindless, Question::Attributes).contains("inventory"), "{}", doctor::text(&kindless));
    let bare = examined(&redescribed(|_, all| all.retain(|one| one["key"] == "service.name")));
    assert_eq!(grade(&bare, Question::Versions), Grade::C, "{}", doctor::text(&bare));
    assert_eq!(state(&bare, Findable::DeployAsCause), State::Impossible);
    assert!(told(&bare, Question::Attributes).contains("do not say their instance"), "{}", doctor::text(&bare));
}

#[test]
fn exploding_operations_and_pods_as_services_are_recognised() {
    let mut number = 0u64;
    let words =
        ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "joule", "knoll", "larch"];
    let letters = |mut value: u64| {
        let mut name = String::from("GET /items/");
        for _ in 0..4 {
            name += words[(value % 12) as usize];
            value /= 12;
        }
        name
    };
    let report = examined(&broken(|service, span| {
        if service == "inventory" && is(span, SERVER) {
            number += 1;
            span["name"] = json!(letters(number));
            span["attributes"].as_array_mut().unwrap().retain(|one| one["key"] != "http.route");
        }
        true
    }));
    assert!(grade(&report, Question::Names) >= Grade::D, "{}", doctor::text(&report));
    assert!(told(&report, Question::Names).contains("operations explode: inventory"), "{}", doctor::text(&report));
    let pods = examined(&redescribed(|service, all| {
        all.iter_mut().filter(|one| one["key"] == "service.name").for_each(|one| {
            one["value"]["stringValue"] = json!(format!("{service}-7d4b9c6f5d-x2x7q"));
        });
    }));
    assert_eq!(grade(&pods, Question::Names), Grade::D, "{}", doctor::text(&pods));
}

#[test]
fn the_worst_comes_first_and_every_snippet_is_in_the_text_once() {
    let bare = examined(&redescribed(|_, all| all.retain(|one| one["key"] == "service.name")));
    assert!(bare.answers.is_sorted_by(|a, b| a.grade >= b.grade));
    let text = doctor::text(&bare);
    assert_eq!(text.matches("OTEL_RESOURCE_ATTRIBUTES").count(), 1, "{text}");
    let wide: BTreeSet<&str> = text.lines().filter(|line| line.chars().count() > 130).collect();
    assert!(wide.is_empty(), "{wide:?}");
}
