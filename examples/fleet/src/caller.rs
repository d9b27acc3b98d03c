//! A call to another service, with its tries: each a span of its own; what the callee says of another try is obeyed.

use crate::plan::Call;
use crate::spans::{Context, Exporter, Finished, Set, now_ns};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use guard::{Callee, End, Labels, Retry, Stopped, retry_of};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::SpanKind;
use std::time::Duration;

/// An HTTP client with a pool of connections.
pub(crate) type Http = Client<HttpConnector, Body>;

/// The client.
pub(crate) fn http() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(20)).build(connector)
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered.
    Good,
    /// It was not answered in time.
    Timeout,
    /// It failed.
    Failed,
    /// It was refused by somebody who protects the fleet.
    Refused(Retry),
}

impl Outcome {
    /// As the client side says it.
    pub(crate) fn end(self) -> End {
        match self {
            Outcome::Good => End::Success,
            Outcome::Timeout | Outcome::Failed => End::Failure,
            Outcome::Refused(retry) => End::Refused(retry),
        }
    }
}

/// One request and its answer.
pub(crate) async fn ask(http: &Http, url: &str, headers: HeaderMap, timeout: Duration) -> Outcome {
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = headers;
    let Ok(uri) = url.parse() else { return Outcome::Failed };
    *request.uri_mut() = uri;
    let asked = async {
        let (head, body) = http.request(request).await.ok()?.into_parts();
        body.collect().await.ok()?;
        Some(head)
    };
    match tokio::time::timeout(timeout, asked).await {
        Err(_) => Outcome::Timeout,
        Ok(None) => Outcome::Failed,
        Ok(Some(head)) if head.status.is_success() => Outcome::Good,
        Ok(Some(head)) => retry_of(head.status, &head.headers).map_or(Outcome::Failed, Outcome::Refused),
    }
}

/// Who calls whom.
pub(crate) struct Caller<'a> {
    /// The client.
    pub(crate) http: &'a Http,
    /// Where spans go.
    pub(crate) spans: &'a Exporter,
    /// The guard's side of it.
    pub(crate) callee: Callee,
    /// `host:port` of the callee.
    pub(crate) address: String,
    /// Is it a database?
    pub(crate) database: bool,
}

impl Caller<'_> {
    /// Makes the call, under the span `parent`, for a request with these labels.
    pub(crate) async fn call(&self, call: &Call, parent: &Context, labels: Labels) -> Outcome {
        let mut tries = self.callee.call(labels);
        loop {
            let attempt = match tries.attempt() {
                Ok(attempt) => attempt,
                Err(Stopped::Breaker { .. }) => return Outcome::Failed,
                Err(Stopped::Throttled { .. }) => return Outcome::Refused(Retry::Never),
                Err(Stopped::Deadline) => return Outcome::Timeout,
            };
            let (context, start_ns) = (parent.child(), now_ns());
            let mut headers = HeaderMap::new();
            attempt.labels().write(&mut headers, self.callee.clock().now_ms());
            if let Ok(value) = HeaderValue::from_str(&context.header()) {
                headers.insert("traceparent", value);
            }
            let timeout = attempt.timeout();
            let url = format!("http://{}{}", self.address, call.path);
            let outcome = ask(self.http, &url, headers, timeout).await;
            self.tell(call, parent, context, start_ns, attempt.number(), timeout, outcome);
            match tries.end(attempt, outcome.end()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return outcome,
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the facts of one span")]
    fn tell(
        &self,
        call: &Call,
        parent: &Context,
        context: Context,
        start_ns: u64,
        attempt: u32,
        timeout: Duration,
        outcome: Outcome,
    ) {
        let text = |text: &str| Set::Text(text.to_owned());
        let mut attributes = vec![("server.address", text(&call.to))];
        if self.database {
            attributes.push(("db.system.name", text("postgresql")));
            attributes.push(("db.operation.name", text("SELECT")));
            attributes.push(("db.collection.name", text(call.path.trim_start_matches('/'))));
        } else {
            attributes.push(("peer.service", text(&call.to)));
            attributes.push(("http.request.method", text("GET")));
            attributes.push(("url.template", text(&call.path)));
            if let Some(status) = status(outcome) {
                attributes.push(("http.response.status_code", Set::Number(i64::from(status.as_u16()))));
            }
        }
        attributes.push(("stopbank.timeout_ms", Set::Number(timeout.as_millis() as i64)));
        if attempt > 1 {
            attributes.push(("http.request.resend_count", Set::Number(i64::from(attempt - 1))));
        }
        match outcome {
            Outcome::Timeout => attributes.push(("error.type", text("timeout"))),
            Outcome::Refused(_) => attributes.push(("stopbank.shed", Set::Flag)),
            Outcome::Good | Outcome::Failed => {}
        }
        self.spans.take(Finished {
            context,
            parent: parent.span,
            kind: SpanKind::Client,
            name: format!("GET {}", call.path),
            start_ns,
            end_ns: now_ns(),
            failed: outcome != Outcome::Good,
            attributes,
        });
    }
}

/// The status that says so; whoever gives up has none.
pub(crate) fn status(outcome: Outcome) -> Option<StatusCode> {
    match outcome {
        Outcome::Good => Some(StatusCode::OK),
        Outcome::Timeout => None,
        Outcome::Failed => Some(StatusCode::INTERNAL_SERVER_ERROR),
        Outcome::Refused(_) => Some(StatusCode::SERVICE_UNAVAILABLE),
    }
}
