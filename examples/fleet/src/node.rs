//! One service as a process: an HTTP server, a bounded pool of workers with a queue before it, calls to others. The pool and
//! the queue are the guard's; work that was taken in goes on when its client has left, as in a pool of threads.

use crate::caller::{Caller, Http, Outcome, http};
use crate::plan::{Operation, Plan, Service};
use crate::spans::{Context, Exporter, Finished, Road, Set, now_ns};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use guard::{ConsoleSettings, Guard, KafkaSettings, Labels, LimitSettings, Refusal, Settings, refusal_response};
use kafka::Connection;
use model::SpanKind;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A service with a guard.
struct Node {
    plan: Plan,
    service: Service,
    guard: Guard,
    http: Http,
    spans: Exporter,
}

/// Serves one service of the plan until the process is ended.
///
/// # Errors
/// When it cannot listen, or cannot reach Kafka.
pub(crate) async fn serve(plan: Plan, name: &str) -> Result<(), String> {
    let service = plan.service(name).ok_or_else(|| format!("the plan has no service {name}"))?.clone();
    let listener = tokio::net::TcpListener::bind(plan.address(name)).await.map_err(|error| error.to_string())?;
    let router = if service.database { database(&service) } else { node(plan, service)? };
    axum::serve(listener, router.route("/ready", get(|| async { "yes" }))).await.map_err(|error| error.to_string())
}

/// A database: connections that wait, and a pace.
fn database(service: &Service) -> Router {
    struct Base {
        places: tokio::sync::Semaphore,
        pace_ms: AtomicU64,
    }
    let pace_ms = service.operation.first().map_or(1, |operation| operation.work_ms);
    let base = Base { places: tokio::sync::Semaphore::new(service.workers as usize), pace_ms: pace_ms.into() };
    let query = |State(base): State<Arc<Base>>| async move {
        let Ok(_place) = base.places.acquire().await else { return StatusCode::INTERNAL_SERVER_ERROR };
        tokio::time::sleep(Duration::from_millis(base.pace_ms.load(Ordering::Relaxed))).await;
        StatusCode::OK
    };
    let pace = |State(base): State<Arc<Base>>, Path(ms): Path<u64>| async move {
        base.pace_ms.store(ms, Ordering::Relaxed);
    };
    let routes = Router::new().route("/pace/{ms}", post(pace));
    service.operation.iter().fold(routes, |routes, one| routes.route(&one.path, get(query))).with_state(Arc::new(base))
}

fn node(plan: Plan, service: Service) -> Result<Router, String> {
    let connection = Connection::to(&plan.place.brokers);
    let instance = format!("{}-1", service.name);
    let guard = guard::GuardBuilder::from(settings(&plan, &service, &instance)).start();
    let guard = guard.map_err(|error| error.to_string())?;
    let topics = plan.topics();
    let road = match &plan.place.collector {
        Some(collector) => Road::Collector(collector.url.clone()),
        None => Road::Kafka(connection, topics.traces[0].clone()),
    };
    let spans = Exporter::start(&service.name, &instance, road)?;
    let routes: Vec<String> = service.operation.iter().map(|operation| operation.path.clone()).collect();
    let node = Arc::new(Node { plan, service, guard, http: http(), spans });
    let serve = |place: usize| {
        move |State(node): State<Arc<Node>>, headers: HeaderMap| async move {
            // A task of its own: it goes on when the client has left.
            let work = tokio::spawn(async move { node.answer(place, &headers).await });
            work.await.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
        }
    };
    let router =
        routes.iter().enumerate().fold(Router::new(), |router, (place, path)| router.route(path, get(serve(place))));
    Ok(router.with_state(node))
}

/// The guard does nothing by itself but keep the pool: no adaptive limit, no deadline, no breaker, a long queue in order.
fn settings(plan: &Plan, service: &Service, instance: &str) -> Settings {
    let mut settings = Settings {
        service: service.name.clone(),
        instance: instance.to_owned(),
        domain: plan.place.domain.clone(),
        keyring_file: Some(PathBuf::from(&plan.place.keyring)),
        ramp_ms: plan.guard.ramp_ms,
        ..Settings::default()
    };
    if service.over_http {
        settings.console = Some(ConsoleSettings { url: format!("http://{}", plan.address("stopbank")), token: None });
    } else {
        let (brokers, topics) = (plan.place.brokers.clone(), plan.topics());
        let (control_topic, reports_topic) = (topics.control, topics.reports);
        settings.kafka = Some(KafkaSettings { brokers, control_topic, reports_topic, ..KafkaSettings::default() });
    }
    settings.server.limit = LimitSettings::Fixed { limit: service.workers };
    settings.server.class_share_permille = [1000; 4];
    settings.server.queue_bound_ms = Some(plan.guard.queue_ms);
    settings.server.lifo_after_ms = u32::MAX;
    settings.client.breaker.mode = guard::BreakerMode::Disabled;
    settings.client.throttle_k_permille = 0;
    settings.client.retry_ratio_permille = 4000;
    settings.client.backoff_base_ms = 20;
    settings.client.backoff_cap_ms = 100;
    let mut callees: BTreeMap<String, toml::Table> = BTreeMap::new();
    for call in service.operation.iter().flat_map(|operation| &operation.call) {
        let own = callees.entry(call.to.clone()).or_default();
        own.insert("timeout_ms".into(), i64::from(call.timeout_ms).into());
        own.insert("attempts_max".into(), i64::from(call.attempts).into());
    }
    settings.callees = callees;
    settings
}

impl Node {
    async fn answer(&self, place: usize, headers: &HeaderMap) -> Response<Body> {
        let start_ns = now_ns();
        let operation = &self.service.operation[place];
        let parent = Context::read(headers.get("traceparent").and_then(|value| value.to_str().ok()));
        let context = parent.child();
        // Nobody in this fleet looks at deadlines: the cascade needs that.
        let labels = Labels { deadline_ms: None, ..Labels::read(headers, self.guard.clock().now_ms()) };
        let request = self.guard.request(&labels, &operation.path);
        let (outcome, response) = match self.guard.admit(&request).await {
            Err(refusal) => {
                let response = refusal_response(&refusal, false, StatusCode::SERVICE_UNAVAILABLE);
                (Outcome::Refused(refusal.retry), response)
            }
            Ok(permit) => {
                let outcome = self.work(operation, &context, labels).await;
                match outcome {
                    Outcome::Good => permit.succeed(),
                    _ => permit.fail(),
                }
                (outcome, told(outcome, &request))
            }
        };
        self.tell(operation, parent, context, start_ns, &labels, outcome, response.status());
        response
    }

    async fn work(&self, operation: &Operation, context: &Context, labels: Labels) -> Outcome {
        tokio::time::sleep(Duration::from_millis(operation.work_ms)).await;
        for call in &operation.call {
            let caller = Caller {
                http: &self.http,
                spans: &self.spans,
                callee: self.guard.callee(&call.to),
                address: self.plan.address(&call.to),
                database: self.plan.service(&call.to).is_some_and(|service| service.database),
            };
            let outcome = caller.call(call, context, labels).await;
            if outcome != Outcome::Good {
                return outcome;
            }
        }
        Outcome::Good
    }

    #[allow(clippy::too_many_arguments, reason = "the facts of one span")]
    fn tell(
        &self,
        operation: &Operation,
        parent: Context,
        context: Context,
        start_ns: u64,
        labels: &Labels,
        outcome: Outcome,
        status: StatusCode,
    ) {
        let mut attributes = vec![
            ("http.request.method", Set::Text("GET".into())),
            ("http.route", Set::Text(operation.path.clone())),
            ("http.response.status_code", Set::Number(i64::from(status.as_u16()))),
            ("stopbank.criticality", Set::Text(labels.criticality.unwrap_or_default().as_str().into())),
        ];
        if let Some(cohort) = labels.cohort {
            attributes.push(("stopbank.cohort", Set::Number(i64::from(cohort))));
        }
        if parent.span == model::SpanId::NONE {
            attributes.push(("stopbank.timeout_ms", Set::Number(self.plan.load.timeout_ms as i64)));
        }
        if matches!(outcome, Outcome::Refused(_)) {
            attributes.push(("stopbank.shed", Set::Flag));
        }
        self.spans.take(Finished {
            context,
            parent: parent.span,
            kind: SpanKind::Server,
            name: format!("GET {}", operation.path),
            start_ns,
            end_ns: now_ns(),
            failed: outcome != Outcome::Good,
            attributes,
        });
    }
}

/// What the client hears. A refusal further in is handed on as what it is.
fn told(outcome: Outcome, request: &guard::Request) -> Response<Body> {
    match outcome {
        Outcome::Good => plain(StatusCode::OK),
        Outcome::Timeout => plain(StatusCode::GATEWAY_TIMEOUT),
        Outcome::Failed => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Outcome::Refused(retry) => {
            let refusal =
                Refusal { reason: guard::Reason::Concurrency, retry, criticality: request.criticality, waited_ms: 0 };
            refusal_response(&refusal, false, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
