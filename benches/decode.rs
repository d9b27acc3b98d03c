//! Decoding one Kafka record of 100 spans: the walkers of `telemetry` against prost in the same run.
//!
//! Floors: protobuf at least eight times as fast as prost's decode alone; JSON at least 0.4 M spans a second. The first
//! line of the output states the ratio, measured in turns so that a noisy machine disturbs both alike.
#![allow(missing_docs, clippy::print_stdout)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::{SpanId, SpanKind, TraceId};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;
use std::time::{Duration, Instant};
use telemetry::emit::{Attribute, ResourceSpans, SpanOut, StatusCode, Value, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

const SPANS: u64 = 100;

/// About 480 bytes of protobuf and 11 attributes a span, as a Java agent writes them.
fn with_request<T>(use_it: impl FnOnce(&[ResourceSpans<'_>]) -> T) -> T {
    let attributes: [Attribute<'_>; 11] = [
        ("http.request.method", Value::Str("GET")),
        ("http.response.status_code", Value::Int(200)),
        ("url.path", Value::Str("/api/v1/cart/12345")),
        ("url.scheme", Value::Str("http")),
        ("server.address", Value::Str("cart.default.svc.cluster.local")),
        ("server.port", Value::Int(8080)),
        ("network.protocol.version", Value::Str("1.1")),
        ("user_agent.original", Value::Str("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")),
        ("peer.service", Value::Str("cart")),
        ("thread.id", Value::Int(42)),
        ("thread.name", Value::Str("http-nio-8080-exec-7")),
    ];
    let resource: [Attribute<'_>; 8] = [
        ("service.name", Value::Str("frontend")),
        ("service.namespace", Value::Str("shop")),
        ("service.version", Value::Str("1.12.3")),
        ("k8s.pod.name", Value::Str("frontend-7c9f8d7b9c-x2x9k")),
        ("host.name", Value::Str("ip-10-0-3-17.ec2.internal")),
        ("telemetry.sdk.language", Value::Str("java")),
        ("telemetry.sdk.name", Value::Str("opentelemetry")),
        ("telemetry.sdk.version", Value::Str("1.50.0")),
    ];
    let spans: Vec<SpanOut<'_>> = (1..=SPANS)
        .map(|number| {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            SpanOut {
                trace: TraceId(u128::from(mixed) << 64 | u128::from(!mixed)),
                id: SpanId(mixed),
                parent: SpanId(mixed ^ 7),
                kind: if number % 2 == 0 { SpanKind::Client } else { SpanKind::Server },
                name: "GET /api/v1/cart/{id}",
                start_ns: 1_790_000_000_000_000_000 + mixed % 1_000_000_000,
                end_ns: 1_790_000_000_000_000_000 + mixed % 1_000_000_000 + 12_345_678,
                status: if number % 50 == 0 { StatusCode::Error } else { StatusCode::Unset },
                attributes: &attributes,
                ..SpanOut::default()
            }
        })
        .collect();
    use_it(&[ResourceSpans {
        resource: &resource,
        scope: "io.opentelemetry.tomcat-10.0",
        scope_attributes: &[],
        spans: &spans,
    }])
}

struct Ours {
    reader: Reader,
    facts: Facts,
}

impl Ours {
    fn new() -> Ours {
        Ours { reader: Reader::new(ReaderConfig::default()), facts: Facts::default() }
    }

    fn read(&mut self, encoding: Encoding, payload: &[u8]) -> usize {
        self.facts.clear();
        self.reader.read(encoding, payload, &mut self.facts).expect("a good record")
    }
}

fn prost(payload: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(payload).expect("a good record")
}

/// Seconds that `work` takes a span: the best of many turns, each short enough to go undisturbed on a busy machine.
fn seconds_per_span<T>(best: &mut f64, mut work: impl FnMut() -> T) {
    const TURN: u32 = 4;
    let start = Instant::now();
    for _ in 0..TURN {
        black_box(work());
    }
    *best = best.min(start.elapsed().as_secs_f64() / f64::from(TURN) / SPANS as f64);
}

fn state_the_ratio(proto: &[u8], json: &[u8]) {
    let (mut by_prost, mut by_us, mut by_us_json) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut ours, mut ours_json) = (Ours::new(), Ours::new());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        seconds_per_span(&mut by_prost, || prost(black_box(proto)));
        seconds_per_span(&mut by_us, || ours.read(Encoding::Auto, black_box(proto)));
        seconds_per_span(&mut by_us_json, || ours_json.read(Encoding::Auto, black_box(json)));
    }
    println!(
        "protobuf {:.2} M spans/s ({:.0} ns a span) = {:.1} x prost ({:.2} M spans/s, {:.0} ns); JSON {:.2} M spans/s; \
         {} and {} bytes a span",
        1e-6 / by_us,
        1e9 * by_us,
        by_prost / by_us,
        1e-6 / by_prost,
        1e9 * by_prost,
        1e-6 / by_us_json,
        proto.len() / SPANS as usize,
        json.len() / SPANS as usize,
    );
}

fn decode(criterion: &mut Criterion) {
    let proto = with_request(otlp_proto);
    let json = with_request(otlp_json);
    state_the_ratio(&proto, &json);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(SPANS));
    let mut ours = Ours::new();
    group.bench_function("otlp_proto", |bench| bench.iter(|| ours.read(Encoding::OtlpProto, black_box(&proto))));
    group.bench_function("otlp_proto by prost", |bench| bench.iter(|| prost(black_box(&proto))));
    group.bench_function("otlp_json", |bench| bench.iter(|| ours.read(Encoding::OtlpJson, black_box(&json))));
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
