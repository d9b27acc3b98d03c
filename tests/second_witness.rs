//! Promise: metrics are read exactly as the producer counted them. A real Collector's `spanmetrics` counts the same spans that
//! are read as traces; both give the same numbers, and the running program journals what it heard. What services and edges
//! counted is what is shown, whatever their spans say.

mod support;

use kafka::testing::{Broker, real_broker};
use kafka::{Edge, Tail, TailConfig};
use lab::lens::{Counter, Glass};
use lab::{Lens, World, WorldConfig, builtin};
use model::{CountedBy, Failure, NameId, Outcome, Side, SpanId, SpanKind, TraceId, WitnessRow};
use runtime::{Replay, ReplayConfig};
use serde_json::json;
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

#[test]
fn a_capture_of_metrics_tells_the_rates_of_services_and_edges_of_which_a_tenth_of_the_spans_came() {
    const START_NS: u64 = 1_750_000_000_000_000_000;
    const SECOND_NS: u64 = 1_000_000_000;
    let shop = builtin("shop").unwrap().scaled(0.3).with_first_fault_at(1e6);
    let mut world = World::new(shop.clone(), WorldConfig { seed: 3, start_unix_ns: START_NS, obey: false });
    let (mut glass, mut counter) = (Glass::unmarked(Lens::Head, 3, &shop), Counter::new(10));
    let (mut metrics, mut traces) = (Vec::new(), Vec::new());
    for now_ns in (1..=80 * 4).map(|step| step * SECOND_NS / 4) {
        world.run_until(now_ns);
        for export in world.take_exports() {
            glass.take(&export);
            counter.take(&export);
        }
        metrics.extend(counter.due(START_NS + now_ns));
        while let Some(batch) = glass.due(START_NS + now_ns) {
            let mut bytes = Vec::new();
            batch.encode_into(Encoding::OtlpProto, &mut bytes);
            traces.push(bytes);
        }
        if now_ns.is_multiple_of(10 * SECOND_NS) {
            metrics.push(service_graph(START_NS + now_ns - 10 * SECOND_NS, START_NS + now_ns));
        }
    }
    let mut replay = Replay::new(ReplayConfig::default());
    for record in metrics.iter().chain(&traces) {
        replay.record(Encoding::Auto, record, &mut |_| {}).expect("good telemetry");
    }
    replay.finish(&mut |_| {});
    assert!(replay.counts().measured > 200 && replay.counts().poison == 0, "{:?}", replay.counts());

    let view = replay.engine().view();
    let gateway = view.services.iter().find(|service| service.name == "gateway").unwrap();
    // 300 requests a second come to the shop, here 0.3 times as many.
    assert!((gateway.rate_rps / 90.0 - 1.0).abs() < 0.1, "{gateway:?}");
    assert_eq!(gateway.counted_by, CountedBy::Metrics);
    assert!(gateway.witness.as_ref().is_some_and(|told| told.contains("of the calls have spans")), "{gateway:?}");
    let edge = |callee: &str| view.edges.iter().find(|edge| edge.caller == "gateway" && edge.callee == callee).unwrap();
    let (search, inventory) = (edge("search"), edge("inventory"));
    assert_eq!((search.rate_rps, search.errors.value, search.counted_by), (50.0, 0.1, CountedBy::Metrics));
    assert_eq!(inventory.counted_by, CountedBy::Spans, "nobody counts this edge");
}

/// What a service graph says of an edge: 500 calls in the interval, 50 of which failed.
fn service_graph(start_ns: u64, end_ns: u64) -> Vec<u8> {
    let metric = |name: &str, calls: u64| {
        let label = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
        json!({"name": name, "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{
            "attributes": [label("client", "gateway"), label("server", "search")],
            "startTimeUnixNano": start_ns.to_string(), "timeUnixNano": end_ns.to_string(), "asInt": calls.to_string()
        }]}})
    };
    let metrics =
        [metric("traces_service_graph_request_total", 500), metric("traces_service_graph_request_failed_total", 50)];
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).to_string().into_bytes()
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
