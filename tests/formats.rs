//! Promise: the same spans, written by a real Collector as OTLP, Jaeger and Zipkin, in protobuf and JSON, are the same facts and
//! the same rows.

mod support;

use kafka::testing::real_broker;
use kafka::{Edge, Tail, TailConfig};
use model::{NameId, Span, SpanFlags, Window};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;
use support::{Running, collector, eventually, free_port, python, root, succeed};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use window::{Grace, Lane, PartitionId, ShardConfig, WatermarkConfig};

const TRACES: usize = 60;
const ENCODINGS: [Encoding; 6] = [
    Encoding::OtlpProto,
    Encoding::OtlpJson,
    Encoding::JaegerProto,
    Encoding::JaegerJson,
    Encoding::ZipkinProto,
    Encoding::ZipkinJson,
];

#[test]
fn the_same_spans_in_six_encodings_of_a_real_collector_give_the_same_rows() {
    let (Some(broker), Some(collector), Some(python)) = (real_broker(), collector(), python()) else { return };
    let brokers = &broker.connection.brokers;
    let topic = |encoding: Encoding| broker.unique(&format!("formats-{}", encoding.as_str().replace('_', "-")));
    let topics: BTreeMap<Encoding, String> =
        ENCODINGS.into_iter().map(|encoding| (encoding, topic(encoding))).collect();
    topics.values().for_each(|topic| broker.create_topic(topic, 1));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = folder.path().join("collector.yaml");
    fs::write(&configuration, collector_configuration(port, brokers, &topics)).unwrap();
    let _running = Running::start(Command::new(collector).arg("run").arg(&configuration));
    eventually("the Collector listens", Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let script = root().join("tests/support/sdk_shapes.py");
    let sent = succeed(Command::new(python).arg(script).args([format!("http://127.0.0.1:{port}"), TRACES.to_string()]));
    let sent: usize = String::from_utf8_lossy(&sent.stdout).trim().parse().unwrap();

    let read = |encoding: Encoding| {
        eventually(&format!("{encoding:?}: all spans come"), Duration::from_secs(30), || {
            let config = TailConfig::new(broker.connection.clone(), &topics[&encoding], Edge::Earliest);
            let records = Tail::connect(&config).unwrap().read_to_end(Duration::from_secs(20)).unwrap();
            let records: Vec<Vec<u8>> = records.into_iter().filter_map(|record| record.value).collect();
            let found = Found::of(&records, encoding);
            (found.own() >= sent).then_some((found, records))
        })
    };
    let (wanted, _) = read(Encoding::OtlpProto);
    assert_eq!(wanted.own(), sent);
    assert!(
        wanted.windows.iter().any(|window| window.edges.iter().any(|row| row.retries.0 > 0)),
        "the shapes hold retries"
    );
    for encoding in ENCODINGS.into_iter().skip(1) {
        let (found, records) = read(encoding);
        let auto = Found::of(&records, Encoding::Auto);
        assert_eq!(found.lines, auto.lines, "{encoding:?} is told by its first bytes");
        let wrong = found.lines.iter().zip(&wanted.lines).find(|(found, wanted)| found != wanted);
        assert!(wrong.is_none(), "{encoding:?}: {wrong:#?}");
        assert_eq!(found.lines.len(), wanted.lines.len(), "{encoding:?}");
        assert!(found.windows == wanted.windows, "{encoding:?}: the windows differ");
        if let Some(folder) = std::env::var_os("CORPUS") {
            let file = |at: usize| std::path::Path::new(&folder).join(format!("{}-{at}", encoding.as_str()));
            records.iter().take(3).enumerate().for_each(|(at, record)| fs::write(file(at), record).unwrap());
        }
    }
}

/// What records say.
struct Found {
    /// A line for each span, sorted.
    lines: Vec<String>,
    windows: Vec<Window>,
}

impl Found {
    fn of(records: &[Vec<u8>], encoding: Encoding) -> Found {
        let mut reader = Reader::new(ReaderConfig::default());
        let mut facts = Facts::default();
        for record in records {
            reader.read(encoding, record, &mut facts).unwrap_or_else(|poison| panic!("{encoding:?}: {poison}"));
        }
        let names: BTreeMap<NameId, String> = facts.names.iter().map(|named| (named.id, named.text.clone())).collect();
        let text = |id: NameId| names.get(&id).map_or("-", String::as_str);
        let line = |span: &Span| {
            format!(
                "{} {:016x} {:?} service {} operation {} peer {} version {} zone {} instance {} {span:?}",
                span.trace.hex(),
                span.id.0,
                span.kind,
                text(span.service),
                text(span.operation),
                text(span.peer),
                text(span.version),
                text(span.zone),
                text(span.instance)
            )
        };
        let mut lines: Vec<String> = facts.spans.iter().map(line).collect();
        lines.sort();
        // In the order of their ends: how records follow each other is not the format's doing.
        facts.spans.sort_by_key(|span| (span.end_ns, span.trace, span.id));
        let mut lane = Lane::new(Grace::Fixed { grace_ms: 5_000 }, WatermarkConfig::default(), ShardConfig::default());
        lane.observe(PartitionId::default(), &facts.names, &facts.spans, None);
        Found { lines, windows: lane.drain() }
    }

    /// Spans, copies for links not counted.
    fn own(&self) -> usize {
        let linked = format!("SpanFlags({})", SpanFlags::LINKED.with(SpanFlags::MESSAGING).0);
        self.lines.iter().filter(|line| !line.contains(&linked)).count()
    }
}

/// One pipeline, six exporters.
fn collector_configuration(port: u16, brokers: &str, topics: &BTreeMap<Encoding, String>) -> String {
    let exporters: String = topics
        .iter()
        .map(|(encoding, topic)| {
            let name = encoding.as_str();
            format!("  kafka/{name}:\n    brokers: ['{brokers}']\n    traces: {{topic: {topic}, encoding: {name}}}\n")
        })
        .collect();
    let names: Vec<String> = topics.keys().map(|encoding| format!("kafka/{}", encoding.as_str())).collect();
    format!(
        "receivers:\n  otlp:\n    protocols:\n      http: {{endpoint: '127.0.0.1:{port}'}}\n\
         processors:\n  batch: {{timeout: 100ms}}\n\
         exporters:\n{exporters}\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces: {{receivers: [otlp], processors: [batch], \
         exporters: [{}]}}\n",
        names.join(", ")
    )
}
