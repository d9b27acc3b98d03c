//! How a span ended: status codes of HTTP and gRPC, `error.type`, a proxy's response flags, exceptions, our own mark.
//!
//! Order: what is most precise wins. Semantic conventions: opentelemetry.io/docs/specs/semconv (http, rpc, exceptions);
//! Envoy's response flags: envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage.

use crate::read::draft::{Draft, Slots, Val, set};
use crate::read::key::Key;
use model::{Failure, Outcome, SpanKind};

/// Any of these may say that a span failed although its status is unset: as may HTTP's.
const TELLING: u128 = set(&[
    Key::Shed,
    Key::ResponseFlags,
    Key::RpcStatus,
    Key::RpcGrpcStatus,
    Key::GrpcStatus,
    Key::ErrorType,
    Key::Error,
]);
const STATUS_ERROR: i32 = 2;
/// How much of a message is looked at.
const LOOKED_AT_BYTES: usize = 256;

/// What is known before the events are looked at.
pub(crate) enum Verdict {
    Known(Outcome),
    /// It failed; only its status message or its exceptions may say how.
    FailedSomehow,
}

#[inline]
pub(crate) fn verdict(draft: &Draft, kind: SpanKind, slots: &Slots<'_>) -> Verdict {
    // As most spans are: only HTTP's status says anything.
    if draft.status != STATUS_ERROR && !slots.any(TELLING) {
        return match http_status(slots).map(|code| by_http(code, kind)) {
            Some(Said::Failed(failure)) => Verdict::Known(Outcome::Failed(failure)),
            _ => Verdict::Known(Outcome::Ok),
        };
    }
    match by_attributes(kind, slots) {
        Said::Failed(failure) => Verdict::Known(Outcome::Failed(failure)),
        Said::CallersFault => Verdict::Known(Outcome::Ok),
        Said::Somehow => Verdict::FailedSomehow,
        Said::Nothing | Said::Good if draft.status == STATUS_ERROR => Verdict::FailedSomehow,
        Said::Nothing | Said::Good => Verdict::Known(Outcome::Ok),
    }
}

/// The kind of failure of a span of which only words are known.
#[cold]
pub(crate) fn by_words(slots: &Slots<'_>) -> Failure {
    [Key::ErrorType, Key::ExceptionType, Key::StatusMessage, Key::ExceptionMessage]
        .iter()
        .find_map(|key| classify(slots.text(*key)?))
        .unwrap_or(Failure::Error)
}

/// What an attribute says of the outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Nothing,
    Good,
    CallersFault,
    Failed(Failure),
    Somehow,
}

fn by_attributes(kind: SpanKind, slots: &Slots<'_>) -> Said {
    if slots.flag(Key::Shed) == Some(true) {
        return Said::Failed(Failure::Shed);
    }
    if let Some(failure) = slots.text(Key::ResponseFlags).and_then(by_response_flags) {
        return Said::Failed(failure);
    }
    let mut said = Said::Nothing;
    for key in [Key::RpcStatus, Key::RpcGrpcStatus, Key::GrpcStatus] {
        if let Some(code) = grpc_code(slots, key) {
            said = by_grpc(code);
            break;
        }
    }
    if matches!(said, Said::Nothing | Said::Good)
        && let Some(code) = http_status(slots)
    {
        match by_http(code, kind) {
            Said::Nothing => {}
            known => said = known,
        }
    }
    if !matches!(said, Said::Nothing | Said::Good) {
        return said;
    }
    match by_error_type(kind, slots) {
        Said::Nothing if slots.flag(Key::Error) == Some(true) => Said::Somehow,
        Said::Nothing => said,
        known => known,
    }
}

#[inline]
fn http_status(slots: &Slots<'_>) -> Option<i64> {
    [Key::HttpStatus, Key::HttpStatusOld].iter().find_map(|key| slots.int(*key))
}

fn by_http(code: i64, kind: SpanKind) -> Said {
    match code {
        429 => Said::Failed(Failure::Shed),
        499 => Said::Failed(Failure::Cancelled),
        503 => Said::Failed(Failure::Unavailable),
        504 => Said::Failed(Failure::Timeout),
        408 if kind == SpanKind::Client => Said::Failed(Failure::Timeout),
        500..=599 => Said::Failed(Failure::Error),
        400..=499 => Said::CallersFault,
        100..=399 => Said::Good,
        _ => Said::Nothing,
    }
}

/// gRPC's codes in their order.
const GRPC: [(&str, Said); 17] = [
    ("OK", Said::Good),
    ("CANCELLED", Said::Failed(Failure::Cancelled)),
    ("UNKNOWN", Said::Failed(Failure::Error)),
    ("INVALID_ARGUMENT", Said::CallersFault),
    ("DEADLINE_EXCEEDED", Said::Failed(Failure::Timeout)),
    ("NOT_FOUND", Said::CallersFault),
    ("ALREADY_EXISTS", Said::CallersFault),
    ("PERMISSION_DENIED", Said::CallersFault),
    ("RESOURCE_EXHAUSTED", Said::Failed(Failure::Shed)),
    ("FAILED_PRECONDITION", Said::CallersFault),
    ("ABORTED", Said::CallersFault),
    ("OUT_OF_RANGE", Said::CallersFault),
    ("UNIMPLEMENTED", Said::Failed(Failure::Error)),
    ("INTERNAL", Said::Failed(Failure::Error)),
    ("UNAVAILABLE", Said::Failed(Failure::Unavailable)),
    ("DATA_LOSS", Said::Failed(Failure::Error)),
    ("UNAUTHENTICATED", Said::CallersFault),
];

fn by_grpc(code: i64) -> Said {
    usize::try_from(code).ok().and_then(|code| GRPC.get(code)).map_or(Said::Somehow, |entry| entry.1)
}

/// A status by number or by name; other systems' codes (`rpc.response.status_code` of Connect, JSON-RPC) by name only.
fn grpc_code(slots: &Slots<'_>, key: Key) -> Option<i64> {
    if let Some(Val::Int(code)) = slots.get(key) {
        return Some(code);
    }
    let text = slots.text(key)?;
    grpc_named(text).or_else(|| slots.int(key))
}

fn grpc_named(text: &[u8]) -> Option<i64> {
    let known = GRPC.iter().position(|entry| entry.0.as_bytes().eq_ignore_ascii_case(text));
    let known = known.or_else(|| text.eq_ignore_ascii_case(b"CANCELED").then_some(1))?;
    i64::try_from(known).ok()
}

fn by_error_type(kind: SpanKind, slots: &Slots<'_>) -> Said {
    let Some(text) = slots.text(Key::ErrorType) else { return Said::Nothing };
    if let Some(code) = slots.int(Key::ErrorType) {
        return match by_http(code, kind) {
            Said::Nothing | Said::Good => Said::Somehow,
            known => known,
        };
    }
    match grpc_named(text) {
        Some(code) if code != 0 => by_grpc(code),
        _ => classify(text).map_or(Said::Somehow, Said::Failed),
    }
}

/// Envoy: comma-separated flags; `-` is none.
fn by_response_flags(flags: &[u8]) -> Option<Failure> {
    flags.split(|byte| *byte == b',').find_map(|flag| match flag {
        b"UT" | b"SI" | b"DT" | b"UMSDR" => Some(Failure::Timeout),
        b"UF" | b"UH" | b"NR" | b"NC" | b"UC" | b"UR" | b"LR" | b"LH" => Some(Failure::Unavailable),
        b"UO" | b"RL" | b"OM" | b"RLSE" => Some(Failure::Shed),
        b"DC" | b"DR" => Some(Failure::Cancelled),
        _ => None,
    })
}

/// Words of error types, exceptions and messages, by what they mean. In lower case, without spaces, `_` and `-`.
const WORDS: &[(&str, Failure)] = &[
    ("timeout", Failure::Timeout),
    ("timedout", Failure::Timeout),
    ("deadline", Failure::Timeout),
    ("connectionrefused", Failure::Unavailable),
    ("econnrefused", Failure::Unavailable),
    ("econnreset", Failure::Unavailable),
    ("connectionreset", Failure::Unavailable),
    ("connectexception", Failure::Unavailable),
    ("connecterror", Failure::Unavailable),
    ("unavailable", Failure::Unavailable),
    ("unreachable", Failure::Unavailable),
    ("unknownhost", Failure::Unavailable),
    ("enotfound", Failure::Unavailable),
    ("noroutetohost", Failure::Unavailable),
    ("nosuchhost", Failure::Unavailable),
    ("nameresolution", Failure::Unavailable),
    ("nohealthyupstream", Failure::Unavailable),
    ("noinstancesavailable", Failure::Unavailable),
    ("resourceexhausted", Failure::Shed),
    ("toomanyrequests", Failure::Shed),
    ("ratelimit", Failure::Shed),
    ("overload", Failure::Shed),
    ("circuitbreaker", Failure::Shed),
    ("callnotpermitted", Failure::Shed),
    ("bulkhead", Failure::Shed),
    ("rejectedexecution", Failure::Shed),
    ("cancelled", Failure::Cancelled),
    ("canceled", Failure::Cancelled),
    ("cancellederror", Failure::Cancelled),
    ("aborterror", Failure::Cancelled),
];

/// The failure that the first telling word names.
fn classify(text: &[u8]) -> Option<Failure> {
    let mut folded = [0u8; LOOKED_AT_BYTES];
    let mut length = 0;
    for byte in text.iter().take(LOOKED_AT_BYTES).filter(|byte| !matches!(byte, b' ' | b'_' | b'-')) {
        folded[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let folded = &folded[..length];
    (0..length).find_map(|at| {
        let rest = &folded[at..];
        let could = matches!(rest[0], b't' | b'd' | b'c' | b'e' | b'u' | b'n' | b'r' | b'o' | b'b' | b'a');
        if !could {
            return None;
        }
        WORDS.iter().find(|(word, _)| rest.starts_with(word.as_bytes())).map(|found| found.1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_exceptions_name_the_failure() {
        for (text, wanted) in [
            ("java.net.SocketTimeoutException", Some(Failure::Timeout)),
            ("context deadline exceeded (Client.Timeout exceeded)", Some(Failure::Timeout)),
            ("dial tcp 10.0.0.1:80: connect: connection refused", Some(Failure::Unavailable)),
            ("java.net.ConnectException", Some(Failure::Unavailable)),
            (
                "java.lang.IllegalStateException: No instances available for ts-order-service",
                Some(Failure::Unavailable),
            ),
            ("asyncio.exceptions.CancelledError", Some(Failure::Cancelled)),
            ("io.github.resilience4j.circuitbreaker.CallNotPermittedException", Some(Failure::Shed)),
            ("too_many_requests", Some(Failure::Shed)),
            ("java.lang.NullPointerException", None),
            ("", None),
        ] {
            assert_eq!(classify(text.as_bytes()), wanted, "{text}");
        }
    }
}
