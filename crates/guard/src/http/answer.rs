//! What a refused client is answered, in words that other people's clients know.
//!
//! HTTP: 503 (or 429). "Do not try again" carries no `Retry-After`, so that clients that go by it (urllib3, Apache
//! HttpClient, `fetch-retry`) leave it, and `x-envoy-ratelimited`, which Envoy does not retry. gRPC: `RESOURCE_EXHAUSTED`,
//! which default policies do not retry (they name `UNAVAILABLE`) and health checks do not count, with
//! `grpc-retry-pushback-ms`, a negative value of which forbids retries (gRFC A6).

use crate::refusal::Refusal;
use admission::Retry;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::sync::LazyLock;

/// `never`, or `after-ms=250`.
pub const RETRY: HeaderName = HeaderName::from_static("stopbank-retry");
/// Why a request was refused: `priority`, `concurrency`, `queue_full`, `expired` or `purged`.
pub const REASON: HeaderName = HeaderName::from_static("stopbank-reason");
/// gRPC's word to the client's retry policy.
pub const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// How much of its capacity the answering instance uses, in 1/1000: requests in flight of those that may be.
pub const LOAD: HeaderName = HeaderName::from_static("stopbank-load");

const ENVOY: HeaderName = HeaderName::from_static("x-envoy-ratelimited");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const RESOURCE_EXHAUSTED: &str = "8";
/// More than this is not said: twice what there is room for.
const LOAD_MAX_PERMILLE: u16 = 2000;

/// The answer to a refused request. `status` is that of HTTP; gRPC has its own.
pub fn refusal_response<B: Default>(refusal: &Refusal, grpc: bool, status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::default());
    let headers = response.headers_mut();
    headers.insert(REASON, HeaderValue::from_static(refusal.reason.as_str()));
    headers.insert(RETRY, said(refusal.retry));
    if grpc {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from_static(RESOURCE_EXHAUSTED));
        // only ASCII without a percent sign stands in it, so nothing has to be escaped
        if let Ok(message) = HeaderValue::try_from(refusal.to_string()) {
            headers.insert(GRPC_MESSAGE, message);
        }
        let pushback = match refusal.retry {
            Retry::Never => HeaderValue::from_static("-1"),
            Retry::AfterMs(after_ms) => HeaderValue::from(after_ms),
        };
        headers.insert(PUSHBACK, pushback);
        return response;
    }
    match refusal.retry {
        Retry::Never => headers.insert(ENVOY, HeaderValue::from_static("true")),
        Retry::AfterMs(after_ms) => headers.insert(RETRY_AFTER, HeaderValue::from(after_ms.div_ceil(1000).max(1))),
    };
    *response.status_mut() = status;
    response
}

fn said(retry: Retry) -> HeaderValue {
    match retry {
        Retry::Never => HeaderValue::from_static("never"),
        Retry::AfterMs(after_ms) => {
            HeaderValue::try_from(format!("after-ms={after_ms}")).unwrap_or(HeaderValue::from_static("never"))
        }
    }
}

/// What a refusal says of another try; `None` if the response is no refusal. Also knows gRPC's push-back and the 429 of
/// others.
pub fn retry_of(status: StatusCode, headers: &HeaderMap) -> Option<Retry> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(said) = text(&RETRY) {
        let after = said.strip_prefix("after-ms=").and_then(|after_ms| after_ms.parse().ok());
        return Some(after.map_or(Retry::Never, Retry::AfterMs));
    }
    if text(&GRPC_STATUS) == Some(RESOURCE_EXHAUSTED) {
        let pushback = text(&PUSHBACK)?;
        return Some(pushback.parse().map_or(Retry::Never, Retry::AfterMs));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        let after_s: Option<u32> = text(&RETRY_AFTER).and_then(|after_s| after_s.parse().ok());
        return Some(after_s.map_or(Retry::Never, |after_s| Retry::AfterMs(after_s.saturating_mul(1000))));
    }
    None
}

/// A load as the header's value. Each is made once, so that answers need no memory for it.
pub(crate) fn load_value(permille: u16) -> HeaderValue {
    static VALUES: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
        let value = |permille: u16| HeaderValue::from_static(permille.to_string().leak());
        (0..=LOAD_MAX_PERMILLE).map(value).collect()
    });
    VALUES[usize::from(permille.min(LOAD_MAX_PERMILLE))].clone()
}

/// What an answer says of the callee's load, in 1/1000.
pub(crate) fn load_of(headers: &HeaderMap) -> Option<u16> {
    headers.get(LOAD)?.to_str().ok()?.trim().parse().ok()
}

/// Did the callee fail, as far as a response without its body tells?
pub(crate) fn failed(status: StatusCode, headers: &HeaderMap) -> bool {
    // DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS and UNKNOWN are the callee's; the others the caller's
    let grpc =
        headers.get(GRPC_STATUS).is_some_and(|code| [&b"2"[..], b"4", b"13", b"14", b"15"].contains(&code.as_bytes()));
    status.is_server_error() || grpc
}

#[cfg(test)]
mod tests {
    use super::*;
    use admission::Reason;
    use model::Criticality;

    fn refusal(retry: Retry) -> Refusal {
        Refusal { reason: Reason::Priority, retry, criticality: Criticality::Critical, waited_ms: 0 }
    }

    #[test]
    fn never_means_never_to_every_kind_of_client() {
        let http: Response<()> = refusal_response(&refusal(Retry::Never), false, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (http.status(), &http.headers()["stopbank-retry"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"never".parse().unwrap())
        );
        assert!(http.headers().contains_key("x-envoy-ratelimited") && !http.headers().contains_key("retry-after"));
        let grpc: Response<()> = refusal_response(&refusal(Retry::Never), true, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((grpc.status(), &grpc.headers()["grpc-status"]), (StatusCode::OK, &"8".parse().unwrap()));
        assert_eq!(grpc.headers()["grpc-retry-pushback-ms"], "-1");
        assert!(!grpc.headers()["grpc-message"].as_bytes().contains(&b'%'));
    }

    #[test]
    fn what_is_said_is_understood_again() {
        for retry in [Retry::Never, Retry::AfterMs(250)] {
            for grpc in [false, true] {
                let response: Response<()> = refusal_response(&refusal(retry), grpc, StatusCode::TOO_MANY_REQUESTS);
                assert_eq!(retry_of(response.status(), response.headers()), Some(retry));
                let mut foreign = response.headers().clone();
                foreign.remove(RETRY);
                let understood = retry_of(response.status(), &foreign);
                let coarse = if grpc {
                    retry
                } else {
                    match retry {
                        Retry::Never => retry,
                        _ => Retry::AfterMs(1000),
                    }
                };
                assert_eq!(understood, Some(coarse), "without our own header");
            }
        }
        assert_eq!(retry_of(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()), None, "a plain 503 is a failure");
    }
}
