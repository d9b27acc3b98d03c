//! Promise: metrics are read exactly as the producer counted them. A real Collector's `spanmetrics` counts the same spans that
//! are read as traces; both give the same numbers, and the running program journals what it heard.

mod support;

use kafka::testing::{Broker, real_broker};
use kafka::{Edge, Tail, TailConfig};
use model::{Failure, NameId, Outcome, Side, SpanId, SpanKind, TraceId, WitnessRow};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Running, collector, eventually, free_port, lines, stopbank, succeed, summary};
use telemetry::emit::{ResourceSpans, SpanOut, StatusCode, Value, otlp_proto};
use telemetry::{Encoding, Facts, Measured, MetricsReader, Reader, ReaderConfig};

const TRACES: u64 = 300;

/// Calls and failures by service, operation and side.
type Counts = BTreeMap<(NameId, NameId, Side), (u64, u64)>;

#[test]
fn a_real_spanmetrics_counts_what_the_traces_say_in_both_temporalities_and_encodings() {
    let (Some(broker), Some(collector)) = (real_broker(), collector()) else { return };
    let topic = |name: &str| {
        let topic = broker.unique(name);
        broker.create_topic(&topic, 1);
        topic
    };
    let (traces, cumulative, delta) = (topic("witness-traces"), topic("witness-cumulative"), topic("witness-delta"));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = folder.path().join("collector.yaml");
    let brokers = &broker.connection.brokers;
    fs::write(&configuration, collector_configuration(port, brokers, &traces, &cumulative, &delta)).unwrap();
    let _running = Running::start(Command::new(collector).arg("run").arg(&configuration));
    eventually("the Collector listens", Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    // In two halves, so that a cumulative stream has something to subtract.
    send(port, 0..TRACES / 2);
    std::thread::sleep(Duration::from_millis(2500));
    send(port, TRACES / 2..TRACES);

    let wanted = eventually("all spans come", Duration::from_secs(30), || {
        let (counts, spans) = counted(&records(broker, &traces));
        (spans as u64 == 3 * TRACES).then_some(counts)
    });
    assert_eq!(wanted.len(), 4, "what the shop serves and calls, and two operations of the stock");
    for (topic, encoding) in [(&cumulative, Encoding::OtlpProto), (&delta, Encoding::OtlpJson)] {
        let found = eventually("all counts come", Duration::from_secs(30), || {
            let (found, rows) = measured(&records(broker, topic), encoding);
            let all = found.values().map(|counts| counts.0).sum::<u64>() >= 3 * TRACES;
            all.then_some((found, rows))
        });
        assert_eq!(found.0, wanted, "{encoding:?}");
        assert!(found.1 > 8, "in several intervals: {encoding:?}, {} rows", found.1);
    }

    let journal = broker.unique("witness-journal");
    let domain = broker.unique("witness");
    let output = succeed(
        stopbank(&["run", "--until-idle", "3s", "--format", "json"])
            .env("STOPBANK_BROKERS", brokers)
            .env("STOPBANK_TRACES_TOPICS", &traces)
            .env("STOPBANK_METRICS_TOPICS", &cumulative)
            .env("STOPBANK_TOPICS_JOURNAL", &journal)
            .env("STOPBANK_DOMAIN", &domain)
            .env("STOPBANK_GROUP", broker.unique("witness"))
            .env("STOPBANK_TELEMETRY_START", "earliest")
            .env("STOPBANK_ADMIN_ADDRESS", "127.0.0.1:0"),
    );
    let told = summary(&output.stdout);
    assert_eq!((&told["spans"], &told["poison"]), (&(3 * TRACES).into(), &0.into()), "{told}");
    let tail = TailConfig::new(broker.connection.clone(), &journal, Edge::Earliest);
    let journal = Tail::connect(&tail).unwrap().read_to_end(Duration::from_secs(20)).unwrap();
    let heard: u64 = runtime::journal_inputs(journal, &domain)
        .unwrap()
        .into_iter()
        .flat_map(|input| match input {
            engine::Input::Measured(rows) => rows,
            _ => Vec::new(),
        })
        .map(|row: WitnessRow| row.calls)
        .sum();
    assert_eq!(heard, 2 * TRACES, "what servers counted is in the journal, once");

    let examine = ["doctor", "--from-beginning", "--topic", &traces, "--metrics", &cumulative, "--format", "json"];
    let output = succeed(stopbank(&examine).env("STOPBANK_BROKERS", brokers));
    let report = lines(&output.stdout).pop().unwrap();
    let answer = report["answers"].as_array().unwrap().iter().find(|answer| answer["question"] == "metrics");
    let told = answer.unwrap_or_else(|| panic!("metrics were read: {report}"));
    assert_eq!(
        (&told["grade"], &told["figures"]["compared"]),
        (&"C".into(), &0.0.into()),
        "some seconds are too little"
    );
    assert_eq!(report["census"]["spans"], 3 * TRACES, "records of metrics are not taken for spans");
}

/// Each trace: a request to the shop, its call, and the stock's part, of which some fail.
fn send(port: u16, traces: std::ops::Range<u64>) {
    let now_ns = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    let mut shop = Vec::new();
    let mut stock = Vec::new();
    for at in traces {
        let (trace, start_ns) = (TraceId(u128::from(at + 1) << 64 | 7), now_ns - 50_000_000);
        let span = SpanOut { trace, start_ns, end_ns: start_ns + 5_000_000, ..SpanOut::default() };
        let failed = |every: u64| if at % every == 0 { StatusCode::Error } else { StatusCode::Unset };
        let (server, client, callee) = (SpanId(3 * at + 1), SpanId(3 * at + 2), SpanId(3 * at + 3));
        shop.push(SpanOut { id: server, kind: SpanKind::Server, name: "basket", status: failed(7), ..span });
        shop.push(SpanOut {
            id: client,
            parent: server,
            kind: SpanKind::Client,
            name: "items",
            status: failed(5),
            ..span
        });
        let name = if at % 3 == 0 { "items" } else { "prices" };
        stock.push(SpanOut { id: callee, parent: client, kind: SpanKind::Server, name, status: failed(4), ..span });
    }
    let of = |service, spans| ResourceSpans { resource: service, scope: "test", scope_attributes: &[], spans };
    let shop_is = [("service.name", Value::Str("shop"))];
    let stock_is = [("service.name", Value::Str("stock"))];
    let body = otlp_proto(&[of(&shop_is, &shop), of(&stock_is, &stock)]);
    let url = format!("http://127.0.0.1:{port}/v1/traces");
    let answer = ureq::post(&url).header("content-type", "application/x-protobuf").send(&body[..]).unwrap();
    assert_eq!(answer.status(), 200);
}

fn records(broker: &Broker, topic: &str) -> Vec<Vec<u8>> {
    let config = TailConfig::new(broker.connection.clone(), topic, Edge::Earliest);
    let records = Tail::connect(&config).unwrap().read_to_end(Duration::from_secs(20)).unwrap();
    records.into_iter().filter_map(|record| record.value).collect()
}

fn counted(records: &[Vec<u8>]) -> (Counts, usize) {
    let (mut reader, mut facts) = (Reader::new(ReaderConfig::default()), Facts::default());
    for record in records {
        reader.read(Encoding::Auto, record, &mut facts).expect("good traces");
    }
    let mut counts = Counts::new();
    for span in &facts.spans {
        let side = if span.kind == SpanKind::Client { Side::Client } else { Side::Server };
        let failed = matches!(span.outcome, Outcome::Failed(Failure::Error));
        let count = counts.entry((span.service, span.operation, side)).or_default();
        *count = (count.0 + 1, count.1 + u64::from(failed));
    }
    (counts, facts.spans.len())
}

fn measured(records: &[Vec<u8>], encoding: Encoding) -> (Counts, usize) {
    let (mut reader, mut measured) = (MetricsReader::new(ReaderConfig::default()), Measured::default());
    for record in records {
        reader.read(encoding, record, &mut measured).expect("good metrics");
    }
    let mut counts = Counts::new();
    for row in &measured.rows {
        let count = counts.entry((row.service, row.operation, row.side)).or_default();
        *count = (count.0 + row.calls, count.1 + row.failed);
    }
    (counts, measured.rows.len())
}

fn collector_configuration(port: u16, brokers: &str, traces: &str, cumulative: &str, delta: &str) -> String {
    format!(
        "receivers:\n  otlp:\n    protocols:\n      http: {{endpoint: '127.0.0.1:{port}'}}\n\
         connectors:\n  spanmetrics/cumulative:\n    metrics_flush_interval: 1s\n  spanmetrics/delta:\n    \
         metrics_flush_interval: 1s\n    aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA\n    \
         histogram: {{exponential: {{max_size: 160}}}}\n\
         exporters:\n  kafka/traces:\n    brokers: ['{brokers}']\n    traces: {{topic: {traces}, encoding: otlp_proto}}\n  \
         kafka/cumulative:\n    brokers: ['{brokers}']\n    metrics: {{topic: {cumulative}, encoding: otlp_proto}}\n  \
         kafka/delta:\n    brokers: ['{brokers}']\n    metrics: {{topic: {delta}, encoding: otlp_json}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces: {{receivers: [otlp], \
         exporters: [kafka/traces, spanmetrics/cumulative, spanmetrics/delta]}}\n    metrics/cumulative: \
         {{receivers: [spanmetrics/cumulative], exporters: [kafka/cumulative]}}\n    metrics/delta: \
         {{receivers: [spanmetrics/delta], exporters: [kafka/delta]}}\n"
    )
}
