//! Promise: what a guard knows of a request stands in the service's own OpenTelemetry spans, on the server's side and on the
//! client's, and stopbank reads it back from them.

use axum::http::{Request, Response};
use guard::{ClientGuardLayer, Clock, Guard, GuardLayer, LimitSettings, Settings};
use model::{Criticality, Failure, Outcome, Span, SpanKind};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use prost::Message;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry::{Encoding, Facts, Reader, ReaderConfig};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tracing::field::Empty;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

type Http = Request<String>;

/// Keeps what the SDK exports.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    /// The spans of this name, as stopbank reads them from OTLP.
    fn read(&self, name: &str) -> Vec<Span> {
        let named = self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect();
        let resource = ResourceAttributesWithSchema::default();
        let request = ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(named, &resource) };
        let mut facts = Facts::default();
        let bytes = request.encode_to_vec();
        Reader::new(ReaderConfig::default()).read(Encoding::OtlpProto, &bytes, &mut facts).unwrap();
        facts.spans
    }

    /// An attribute of the only span of this name.
    fn attribute(&self, name: &str, key: &str) -> Option<String> {
        let spans = self.0.lock().unwrap();
        let span = spans.iter().find(|span| span.name == name).unwrap();
        let found: Vec<_> = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key).collect();
        assert!(found.len() < 2, "said twice: {found:?}");
        found.first().map(|attribute| attribute.value.to_string())
    }
}

/// A span as a service's own tracing layer makes it, around a guarded service.
macro_rules! traced {
    ($name:literal, $kind:literal, $service:expr) => {{
        let service = $service;
        service_fn(move |request: Http| {
            let span = info_span!(
                $name,
                otel.kind = $kind,
                stopbank.criticality = Empty,
                stopbank.cohort = Empty,
                stopbank.attempt = Empty,
                stopbank.queue_ms = Empty,
                stopbank.timeout_ms = Empty,
                stopbank.shed = Empty,
                stopbank.reason = Empty
            );
            service.clone().oneshot(request).instrument(span)
        })
    }};
}

fn guard(service: &str, limit: u32) -> Guard {
    let mut settings = Settings { service: service.into(), ..Settings::default() };
    settings.server.limit = LimitSettings::Fixed { limit };
    settings.server.class_share_permille = [1000; 4];
    settings.server.queue_bound_ms = Some(10_000);
    settings.client.retry_reserve_per_s = 10;
    settings.client.backoff_base_ms = 1;
    settings.client.timeout_ms = 700;
    Guard::new(settings, Clock::system()).unwrap()
}

fn ask(class: &str) -> Http {
    let request = Request::get("/").header("stopbank-criticality", class).header("stopbank-cohort", "17");
    request.body(String::new()).unwrap()
}

/// `cart` calls `stock`, whose first answer is a failure.
fn shop(
    cart: &Guard,
    stock: &Guard,
) -> impl Service<Http, Response = Response<String>, Error = Infallible, Future: Send> + Clone + Send + 'static {
    let failures = Arc::new(AtomicU32::new(1));
    let work = service_fn(move |_: Http| {
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let response = Response::builder().status(if fails { 503 } else { 200 }).body(String::new()).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let stock = traced!("stock", "server", ServiceBuilder::new().layer(GuardLayer::new(stock.clone())).service(work));
    let client = ServiceBuilder::new().layer(ClientGuardLayer::new(cart.callee("stock")).retrying()).service(stock);
    let client = traced!("call stock", "client", client);
    let handler = service_fn(move |_: Http| {
        let client = client.clone();
        async move {
            client.oneshot(Request::get("/stock").body(String::new()).unwrap()).await.unwrap();
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    traced!("cart", "server", ServiceBuilder::new().layer(GuardLayer::new(cart.clone())).service(handler))
}

#[tokio::test]
async fn attempt_criticality_and_queue_time_of_a_request_are_read_back_from_its_spans() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let (cart, stock) = (guard("cart", 1), guard("stock", 100));
    let server = shop(&cart, &stock);

    // the only place is taken for a while, so the request waits
    let place = cart.admit(&guard::Request::default()).await.unwrap();
    let asked = tokio::spawn(server.clone().oneshot(ask("SHEDDABLE")));
    tokio::time::sleep(Duration::from_millis(40)).await;
    drop(place);
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);

    let [cart_span] = kept.read("cart")[..] else { panic!("one span: {:?}", kept.0) };
    assert_eq!((cart_span.kind, cart_span.criticality), (SpanKind::Server, Some(Criticality::Sheddable)));
    assert_eq!((cart_span.cohort, cart_span.attempt, cart_span.outcome), (17, 1, Outcome::Ok));
    let waited_ms: u64 = kept.attribute("cart", "stopbank.queue_ms").unwrap().parse().unwrap();
    assert!((30..1000).contains(&waited_ms), "{waited_ms} ms in the queue");

    let [client_span] = kept.read("call stock")[..] else { panic!("one span: {:?}", kept.0) };
    assert_eq!((client_span.kind, client_span.attempt, client_span.timeout_ms), (SpanKind::Client, 2, 700));
    assert_eq!(client_span.criticality, Some(Criticality::Sheddable), "as the request that is being served");

    let stock_spans = kept.read("stock");
    assert_eq!(stock_spans.iter().map(|span| span.attempt).collect::<Vec<_>>(), [1, 2], "first try and retry");
    assert!(stock_spans.iter().all(|span| span.criticality == Some(Criticality::Sheddable) && span.cohort == 17));

    // and what is refused is a refusal, not a failure of the service
    let late = Request::get("/").header("stopbank-timeout-ms", "0").body(String::new()).unwrap();
    kept.0.lock().unwrap().clear();
    assert_eq!(server.oneshot(late).await.unwrap().status(), 503);
    assert_eq!(kept.read("cart")[0].outcome, Outcome::Failed(Failure::Shed));
    assert_eq!(kept.attribute("cart", "stopbank.reason").as_deref(), Some("expired"));
}
