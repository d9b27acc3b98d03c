//! The attributes that are read, and how a key is told in a few nanoseconds: a perfect hash over its length, first and
//! last bytes.

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// An attribute that is read, or (from `SpanName` on) a field that is kept beside them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key { $($name,)* SpanName, StatusMessage, TraceState }
        /// Their texts, in the order of the enum.
        const TEXTS: &[(&str, Key)] = &[$(($text, Key::$name),)*];
    };
}

keys! {
    // resource
    ServiceName = "service.name",
    ServiceNamespace = "service.namespace",
    ServiceVersion = "service.version",
    ServiceInstance = "service.instance.id",
    EnvironmentName = "deployment.environment.name",
    Environment = "deployment.environment",
    Cluster = "k8s.cluster.name",
    K8sNamespace = "k8s.namespace.name",
    Deployment = "k8s.deployment.name",
    Pod = "k8s.pod.name",
    Host = "host.name",
    Zone = "cloud.availability_zone",
    SdkName = "telemetry.sdk.name",
    // http
    HttpRoute = "http.route",
    UrlTemplate = "url.template",
    HttpStatus = "http.response.status_code",
    HttpStatusOld = "http.status_code",
    Resends = "http.request.resend_count",
    ResendsOld = "http.resend_count",
    HttpHost = "http.host",
    UrlFull = "url.full",
    HttpUrl = "http.url",
    UrlScheme = "url.scheme",
    HttpScheme = "http.scheme",
    ContentType = "http.response.header.content-type",
    Upgrade = "http.request.header.upgrade",
    ProtocolName = "network.protocol.name",
    // rpc
    RpcService = "rpc.service",
    RpcMethod = "rpc.method",
    RpcStatus = "rpc.response.status_code",
    RpcGrpcStatus = "rpc.grpc.status_code",
    GrpcStatus = "grpc.status_code",
    RpcType = "rpc.type",
    GrpcKind = "grpc.kind",
    GrpcMethodType = "grpc.method.type",
    PreviousAttempts = "previous-rpc-attempts",
    PreviousAttemptsHeader = "rpc.grpc.request.metadata.grpc-previous-rpc-attempts",
    // database
    DbSystemName = "db.system.name",
    DbSystem = "db.system",
    DbNamespace = "db.namespace",
    DbName = "db.name",
    DbSummary = "db.query.summary",
    DbOperationName = "db.operation.name",
    DbOperation = "db.operation",
    DbCollectionName = "db.collection.name",
    DbTable = "db.sql.table",
    DbMongoCollection = "db.mongodb.collection",
    DbCassandraTable = "db.cassandra.table",
    // messaging
    MessagingSystem = "messaging.system",
    DestinationTemplate = "messaging.destination.template",
    DestinationName = "messaging.destination.name",
    Destination = "messaging.destination",
    MessagingOperationName = "messaging.operation.name",
    MessagingOperationType = "messaging.operation.type",
    MessagingOperation = "messaging.operation",
    BatchCount = "messaging.batch.message_count",
    DeliveryAttempt = "messaging.gcp_pubsub.message.delivery_attempt",
    // peer
    ServicePeerName = "service.peer.name",
    PeerService = "peer.service",
    ServerAddress = "server.address",
    ServerPort = "server.port",
    NetPeerName = "net.peer.name",
    NetPeerPort = "net.peer.port",
    SockPeerName = "net.sock.peer.name",
    NetworkPeerAddress = "network.peer.address",
    NetworkPeerPort = "network.peer.port",
    SockPeerAddress = "net.sock.peer.addr",
    NetPeerIp = "net.peer.ip",
    PeerHostname = "peer.hostname",
    PeerAddress = "peer.address",
    // proxies
    Component = "component",
    UpstreamCluster = "upstream_cluster",
    UpstreamClusterName = "upstream_cluster.name",
    IstioService = "istio.canonical_service",
    IstioMesh = "istio.mesh_id",
    IstioNamespace = "istio.namespace",
    IstioCluster = "istio.cluster_id",
    NodeId = "node_id",
    LinkerdDeployment = "linkerd.io/proxy-deployment",
    LinkerdStatefulSet = "linkerd.io/proxy-statefulset",
    LinkerdDaemonSet = "linkerd.io/proxy-daemonset",
    LinkerdNamespace = "linkerd.io/workload-ns",
    Direction = "direction",
    ResponseFlags = "response_flags",
    // failures
    ErrorType = "error.type",
    Error = "error",
    ExceptionType = "exception.type",
    ExceptionMessage = "exception.message",
    // sampling
    SamplingProbability = "sampling.probability",
    SamplingRatio = "sampling.ratio",
    SamplingThreshold = "sampling.threshold",
    SampleRate = "SampleRate",
    SamplerType = "sampler.type",
    SamplerParam = "sampler.param",
    TailPolicy = "tailsampling.policy",
    TailComposite = "tailsampling.composite_policy",
    SamplingPolicy = "sampling.policy",
    // deadlines
    GrpcTimeout = "rpc.grpc.request.metadata.grpc-timeout",
    GrpcTimeoutHeader = "http.request.header.grpc-timeout",
    EnvoyTimeoutHeader = "http.request.header.x-envoy-expected-rq-timeout-ms",
    EnvoyAttemptHeader = "http.request.header.x-envoy-attempt-count",
    // ours
    Criticality = "stopbank.criticality",
    Cohort = "stopbank.cohort",
    Attempt = "stopbank.attempt",
    TimeoutMs = "stopbank.timeout_ms",
    Shed = "stopbank.shed",
    QueueMs = "stopbank.queue_ms",
}

/// How many there are, fields included.
pub(crate) const KEYS: usize = TEXTS.len() + 3;
const _: () = assert!(KEYS <= 128, "a span's keys are a 128-bit set");

const PLACES_LOG2: u32 = 10;
const NOBODY: u8 = u8::MAX;
const TABLE: [u8; 1 << PLACES_LOG2] = table();

/// Which key this is, if it is read at all.
#[inline(always)]
pub(crate) fn key(text: &[u8]) -> Option<Key> {
    let found = TABLE[place(text)];
    if found == NOBODY {
        return None;
    }
    let (known, key) = TEXTS[found as usize];
    is(text, known.as_bytes()).then_some(key)
}

/// Is the text this one? By words: such short texts are sooner compared than a function is called.
#[inline(always)]
fn is(text: &[u8], known: &[u8]) -> bool {
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    text.len() == known.len()
        && last(text) == last(known)
        && text.as_chunks::<8>().0.iter().zip(known.as_chunks::<8>().0).all(|(one, other)| word(one) == word(other))
}

#[inline(always)]
const fn place(text: &[u8]) -> usize {
    let first = match text.first() {
        Some(first) => *first as u64,
        None => 0,
    };
    ((last(text) ^ (text.len() as u64) << 56 ^ first << 48).wrapping_mul(MULTIPLIER) >> (64 - PLACES_LOG2)) as usize
}

/// The last eight bytes, or all there are.
#[inline(always)]
const fn last(text: &[u8]) -> u64 {
    if let Some(last) = text.last_chunk::<8>() {
        return u64::from_le_bytes(*last);
    }
    let mut word = 0u64;
    let mut index = 0;
    while index < text.len() {
        word = word << 8 | text[index] as u64;
        index += 1;
    }
    word
}

/// Found by trial: no two keys share a place (checked when this is compiled).
const MULTIPLIER: u64 = 0xe8c1_4743_7abe_c539;

const fn table() -> [u8; 1 << PLACES_LOG2] {
    let mut table = [NOBODY; 1 << PLACES_LOG2];
    let mut index = 0;
    while index < TEXTS.len() {
        let place = place(TEXTS[index].0.as_bytes());
        assert!(table[place] == NOBODY, "two keys share a place: choose another MULTIPLIER");
        table[place] = index as u8;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_nothing_else() {
        for (text, wanted) in TEXTS {
            assert_eq!(key(text.as_bytes()), Some(*wanted));
            assert_eq!(key(format!("x{text}").as_bytes()), None);
            assert_eq!(key(&text.as_bytes()[1..]), None);
        }
        assert_eq!(key(b""), None);
        assert_eq!(key(b"thread.name"), None);
    }
}
