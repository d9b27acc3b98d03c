//! What a reader may spend on a record, and how it names services.

use model::Weight;
use serde::{Deserialize, Serialize};

/// How a record is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Told apart by the record's first bytes.
    #[default]
    Auto,
    /// `ExportTraceServiceRequest` (the same bytes as `TracesData`) in protobuf, the Collector's `otlp_proto`.
    OtlpProto,
    /// The same in OTLP/JSON, the Collector's `otlp_json`.
    OtlpJson,
    /// Jaeger's `Span` (or `Batch`) in protobuf, the Collector's `jaeger_proto`.
    JaegerProto,
    /// The same in protobuf's JSON, the Collector's `jaeger_json`.
    JaegerJson,
    /// Zipkin v2's `ListOfSpans` in protobuf, the Collector's `zipkin_proto`.
    ZipkinProto,
    /// Zipkin v2's list of spans in JSON, the Collector's `zipkin_json`.
    ZipkinJson,
}

impl Encoding {
    /// What `payload` is taken for under this setting: itself, or told apart by its first bytes.
    pub fn of(said: Encoding, payload: &[u8]) -> Encoding {
        crate::read::detect::detect(said, payload).0
    }

    /// Its name in settings, as the Collector has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Auto => "auto",
            Encoding::OtlpProto => "otlp_proto",
            Encoding::OtlpJson => "otlp_json",
            Encoding::JaegerProto => "jaeger_proto",
            Encoding::JaegerJson => "jaeger_json",
            Encoding::ZipkinProto => "zipkin_proto",
            Encoding::ZipkinJson => "zipkin_json",
        }
    }
}

/// One part of a service's identity, read from the resource's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityPart {
    /// `deployment.environment.name` (old: `deployment.environment`).
    Environment,
    /// `k8s.cluster.name`.
    Cluster,
    /// `service.namespace`, else `k8s.namespace.name`.
    Namespace,
    /// `service.name`.
    Name,
}

/// Which parts make up a service's identity, in their order, joined by `/`. Parts that a resource does not say are left
/// out. The default is the name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(pub Vec<IdentityPart>);

impl Default for Identity {
    fn default() -> Self {
        Identity(vec![IdentityPart::Name])
    }
}

/// The reader's budgets. A record over `payload_bytes_max`, `spans_max` or `resources_max` is poison; what is over
/// another bound is left out and counted ([`crate::Oddity`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReaderConfig {
    /// How services are named.
    pub identity: Identity,
    /// What a span stands for that says nothing of its sampling: for samplers that keep a known share and do not tell.
    pub unmarked: Weight,
    /// Bytes in one record.
    pub payload_bytes_max: usize,
    /// Spans in one record.
    pub spans_max: usize,
    /// Resources in one record.
    pub resources_max: usize,
    /// Attributes read of one span; further ones are left out.
    pub attributes_per_span_max: usize,
    /// Links read of one span; further ones are left out.
    pub links_per_span_max: usize,
    /// A name's length in bytes; longer ones are cut.
    pub name_bytes_max: usize,
    /// Distinct operations of one service; further ones are counted as `other`.
    pub operations_per_service_max: usize,
    /// Names that the reader remembers having announced. A name that was forgotten is announced again.
    pub names_max: usize,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        ReaderConfig {
            identity: Identity::default(),
            unmarked: Weight::ONE,
            payload_bytes_max: 16 << 20,
            spans_max: 100_000,
            resources_max: 10_000,
            attributes_per_span_max: 1024,
            links_per_span_max: 128,
            name_bytes_max: 256,
            operations_per_service_max: 200,
            names_max: 100_000,
        }
    }
}
