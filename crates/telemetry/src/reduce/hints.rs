//! What a span says beside its fields: attempt, deadline, criticality, cohort, and marks of proxies and streams.

use crate::read::draft::{Slots, set};
use crate::read::key::Key;
use model::{Criticality, Queued, SpanFlags};

const ATTEMPT: u128 = set(&[
    Key::Attempt,
    Key::Resends,
    Key::ResendsOld,
    Key::PreviousAttempts,
    Key::PreviousAttemptsHeader,
    Key::EnvoyAttemptHeader,
    Key::DeliveryAttempt,
]);
const DEADLINE: u128 = set(&[Key::TimeoutMs, Key::EnvoyTimeoutHeader, Key::GrpcTimeout, Key::GrpcTimeoutHeader]);
const PROXY: u128 =
    set(&[Key::UpstreamCluster, Key::UpstreamClusterName, Key::IstioService, Key::IstioMesh, Key::Component]);
const STREAMING: u128 = set(&[
    Key::HttpStatus,
    Key::HttpStatusOld,
    Key::ContentType,
    Key::Upgrade,
    Key::ProtocolName,
    Key::UrlScheme,
    Key::HttpScheme,
    Key::RpcType,
    Key::GrpcKind,
    Key::GrpcMethodType,
    Key::RpcMethod,
]);

/// The attempt's number: 1 is the first, 0 is not said.
#[inline]
pub(crate) fn attempt(slots: &Slots<'_>) -> u8 {
    if !slots.any(ATTEMPT) {
        return 0;
    }
    let counted = |keys: &[Key], first: i64| {
        keys.iter().find_map(|key| slots.int(*key)).map(|count| count.saturating_add(first).clamp(1, 255) as u8)
    };
    counted(&[Key::Attempt, Key::EnvoyAttemptHeader, Key::DeliveryAttempt], 0)
        .or_else(|| counted(&[Key::Resends, Key::ResendsOld, Key::PreviousAttempts, Key::PreviousAttemptsHeader], 1))
        .unwrap_or(0)
}

/// The deadline of the call, from its start, in milliseconds; 0 is not said.
#[inline]
pub(crate) fn timeout_ms(slots: &Slots<'_>) -> u32 {
    if !slots.any(DEADLINE) {
        return 0;
    }
    let said = [Key::TimeoutMs, Key::EnvoyTimeoutHeader].iter().find_map(|key| slots.int(*key));
    let said = said.or_else(|| {
        [Key::GrpcTimeout, Key::GrpcTimeoutHeader].iter().find_map(|key| grpc_timeout_ms(slots.text(*key)?))
    });
    said.map_or(0, |timeout_ms| timeout_ms.clamp(0, i64::from(u32::MAX)) as u32)
}

/// gRPC over HTTP/2: up to eight digits and a unit.
fn grpc_timeout_ms(text: &[u8]) -> Option<i64> {
    let (unit, digits) = text.split_last()?;
    let value: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => value.saturating_mul(3_600_000),
        b'M' => value.saturating_mul(60_000),
        b'S' => value.saturating_mul(1_000),
        b'm' => value,
        b'u' => value / 1_000,
        b'n' => value / 1_000_000,
        _ => return None,
    })
}

/// `stopbank.criticality`.
#[inline]
pub(crate) fn criticality(slots: &Slots<'_>) -> Option<Criticality> {
    Criticality::parse(slots.text(Key::Criticality)?)
}

/// `stopbank.cohort`, if it is one.
#[inline]
pub(crate) fn cohort(slots: &Slots<'_>) -> u8 {
    match slots.int(Key::Cohort) {
        Some(cohort @ 0..128) => cohort as u8,
        _ => model::Span::COHORT_UNKNOWN,
    }
}

/// `stopbank.queue_ms`, as the guard writes it: within a server span.
#[inline]
pub(crate) fn queued(slots: &Slots<'_>) -> Queued {
    let said = slots.int(Key::QueueMs).and_then(|ms| u64::try_from(ms).ok());
    said.map_or(Queued::UNKNOWN, Queued::of_ms)
}

/// Marks of a proxy and of a stream.
#[inline]
pub(crate) fn flags(slots: &Slots<'_>) -> SpanFlags {
    let mut flags = SpanFlags::default();
    if slots.any(PROXY) && is_proxy(slots) {
        flags = flags.with(SpanFlags::PROXY);
    }
    if slots.any(STREAMING) && is_streaming(slots) {
        flags = flags.with(SpanFlags::STREAMING);
    }
    flags
}

fn is_proxy(slots: &Slots<'_>) -> bool {
    const MARKS: u128 = set(&[Key::UpstreamCluster, Key::UpstreamClusterName, Key::IstioService, Key::IstioMesh]);
    slots.any(MARKS) || slots.text(Key::Component) == Some(b"proxy")
}

/// Is this name (of a scope, an SDK) one of a proxy?
pub(crate) fn names_a_proxy(name: &[u8]) -> bool {
    const PROXIES: [&[u8]; 3] = [b"envoy", b"istio", b"linkerd"];
    PROXIES.iter().any(|proxy| name.windows(proxy.len()).any(|window| window.eq_ignore_ascii_case(proxy)))
}

/// What the name of an instrumentation scope says of its spans.
pub(crate) fn scope_name(name: &[u8]) -> SpanFlags {
    if names_a_proxy(name) { SpanFlags::PROXY } else { SpanFlags::default() }
}

fn is_streaming(slots: &Slots<'_>) -> bool {
    const SWITCHING_PROTOCOLS: i64 = 101;
    let is = |key, text: &[u8]| slots.text(key).is_some_and(|value| value.eq_ignore_ascii_case(text));
    let begins = |key, text: &[u8]| {
        slots.text(key).and_then(|value| value.get(..text.len())).is_some_and(|value| value.eq_ignore_ascii_case(text))
    };
    let streams = |key| {
        slots.text(key).is_some_and(|value| value.windows(6).any(|window| window.eq_ignore_ascii_case(b"stream")))
    };
    [Key::HttpStatus, Key::HttpStatusOld].iter().any(|key| slots.int(*key) == Some(SWITCHING_PROTOCOLS))
        || begins(Key::ContentType, b"text/event-stream")
        || is(Key::Upgrade, b"websocket")
        || is(Key::ProtocolName, b"websocket")
        || [Key::UrlScheme, Key::HttpScheme].into_iter().any(|key| is(key, b"ws") || is(key, b"wss"))
        || [Key::RpcType, Key::GrpcKind, Key::GrpcMethodType].into_iter().any(streams)
        || slots.text(Key::RpcMethod).is_some_and(names_a_stream)
}

/// gRPC's instrumentations do not say whether a method streams; its name does (`etcdserverpb.Watch/Watch`,
/// `StreamAggregatedResources`, `SubscribeToPrices`).
fn names_a_stream(method: &[u8]) -> bool {
    const BEGINS: [&[u8]; 4] = [b"Watch", b"Subscribe", b"Stream", b"Listen"];
    let name = method.rsplit(|byte| *byte == b'/').next().unwrap_or(method);
    // "Streams" and "Listeners" are things that are listed
    let goes_on = |word: &[u8]| name.get(word.len()).is_none_or(|next| !next.is_ascii_lowercase());
    BEGINS.iter().any(|word| name.starts_with(word) && goes_on(word)) || name.ends_with(b"Stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_stream_are_told_by_their_names() {
        for method in
            ["Watch", "grpc.health.v1.Health/Watch", "StreamAggregatedResources", "SubscribeToPrices", "OpenStream"]
        {
            assert!(names_a_stream(method.as_bytes()), "{method}");
        }
        for method in ["GetStreams", "Watchlist", "ListListeners", "Listeners", "Get", "a.Stream/Get", ""] {
            assert!(!names_a_stream(method.as_bytes()), "{method}");
        }
    }

    #[test]
    fn grpc_timeouts_are_read_in_every_unit() {
        for (text, wanted) in
            [("5S", Some(5_000)), ("250m", Some(250)), ("1500000u", Some(1_500)), ("1H", Some(3_600_000)), ("x", None)]
        {
            assert_eq!(grpc_timeout_ms(text.as_bytes()), wanted, "{text}");
        }
    }
}
