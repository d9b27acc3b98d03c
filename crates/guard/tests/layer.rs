//! Promise: a server behind the layer works on as much as it can, lets the rest wait briefly, and refuses what is too much
//! so that nobody tries again in vain; a client behind the layer hears that.

#![allow(clippy::unwrap_used)] // that is how tests fail

mod common;

use common::{command, settings};
use guard::{ClientError, ClientGuardLayer, Clock, Guard, GuardLayer, Labels, OpenReason, Stopped};
use http::{Request, Response, StatusCode};
use model::{Criticality, Setting, Target};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

fn guard(limit: u32) -> Guard {
    Guard::new(settings(limit), Clock::system()).unwrap()
}

fn request(class: &str) -> Request<String> {
    Request::get("/cart").header("stopbank-criticality", class).body(String::new()).unwrap()
}

/// A server that works until the gate opens.
fn server(
    guard: &Guard,
    gate: Arc<Semaphore>,
) -> impl Service<Request<String>, Response = Response<String>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    let work = service_fn(move |_: Request<String>| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    ServiceBuilder::new().layer(GuardLayer::new(guard.clone())).service(work)
}

#[tokio::test]
async fn what_finds_no_place_waits_its_turn_and_leaves_no_place_taken() {
    let guard = guard(2);
    let gate = Arc::new(Semaphore::new(0));
    let server = server(&guard, gate.clone());
    let tasks: Vec<_> = (0..5).map(|_| tokio::spawn(server.clone().oneshot(request("CRITICAL")))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let report = guard.report();
    assert_eq!((report.in_flight, report.queued), (2, 3));
    gate.add_permits(5);
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    guard.step();
    let report = guard.report();
    assert_eq!((report.in_flight, report.queued, report.completed), (0, 0, 5));
    assert_eq!(report.admitted, [0, 0, 5, 0]);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_or_works_gives_its_place_back() {
    let guard = guard(1);
    let gate = Arc::new(Semaphore::new(0));
    let server = server(&guard, gate.clone());
    let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(server.clone().oneshot(request("CRITICAL")))).collect();
    tokio::time::sleep(Duration::from_millis(30)).await;
    for task in &tasks[..3] {
        task.abort();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    gate.add_permits(1);
    let last = tasks.into_iter().last().unwrap();
    assert_eq!(last.await.unwrap().unwrap().status(), StatusCode::OK);
    guard.step();
    assert_eq!((guard.report().in_flight, guard.table().in_flight_max[3]), (0, 1));
}

#[tokio::test]
async fn a_command_sheds_by_class_and_the_answer_says_never() {
    let guard = guard(100);
    let gate = Arc::new(Semaphore::new(1000));
    let mut server = server(&guard, gate);
    let lowest = Setting::Admission { lowest: Criticality::Critical, fraction_permille: 1000 };
    command(&guard, 1, Target::service("cart"), lowest, 60_000);
    let refused = server.ready().await.unwrap().call(request("SHEDDABLE_PLUS")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&refused.headers()["stopbank-retry"], &refused.headers()["stopbank-reason"]),
        (&"never".parse().unwrap(), &"priority".parse().unwrap())
    );
    let served = server.ready().await.unwrap().call(request("CRITICAL")).await.unwrap();
    assert_eq!(served.status(), StatusCode::OK);
    guard.step();
    let report = guard.report();
    assert_eq!((report.admitted, report.shed), ([0, 0, 1, 0], [0, 1, 0, 0]));
    assert_eq!(report.obeyed.len(), 1);
}

#[tokio::test]
async fn a_purge_answers_those_who_wait_with_never() {
    let guard = guard(1);
    guard.caught_up();
    let gate = Arc::new(Semaphore::new(0));
    let server = server(&guard, gate.clone());
    let works = tokio::spawn(server.clone().oneshot(request("CRITICAL")));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let waits = tokio::spawn(server.clone().oneshot(request("CRITICAL")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    command(&guard, 1, Target::service("cart"), Setting::Purge { older_than_ms: 5 }, 10_000);
    let purged = waits.await.unwrap().unwrap();
    assert_eq!(purged.headers()["stopbank-reason"], "purged");
    assert_eq!(purged.headers()["stopbank-retry"], "never");
    gate.add_permits(1);
    assert_eq!(works.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn labels_travel_from_the_server_through_the_handler_to_the_callee() {
    let guard = guard(10);
    let seen = service_fn(|request: Request<String>| async move {
        let labels = Labels::read(request.headers(), 0);
        Ok::<_, Infallible>(Response::new(format!(
            "{:?} {:?} {}",
            labels.criticality,
            labels.cohort,
            labels.deadline_ms.unwrap()
        )))
    });
    let client = ServiceBuilder::new().layer(ClientGuardLayer::new(guard.callee("stock"))).service(seen);
    let handler = service_fn(move |_: Request<String>| {
        let client = client.clone();
        async move { client.oneshot(Request::get("/stock").body(String::new()).unwrap()).await }
    });
    let server = ServiceBuilder::new().layer(GuardLayer::new(guard.clone())).service(handler);
    let mut asked = request("SHEDDABLE");
    asked.headers_mut().insert("stopbank-cohort", "17".parse().unwrap());
    asked.headers_mut().insert("stopbank-timeout-ms", "400".parse().unwrap());
    let said = server.oneshot(asked).await.unwrap().into_body();
    let (labels, left_ms) = said.rsplit_once(' ').unwrap();
    assert_eq!(labels, "Some(Sheddable) Some(17)");
    assert!(
        (300..=400).contains(&left_ms.parse::<u64>().unwrap()),
        "{said}: less than the callee's own timeout is left"
    );
}

#[tokio::test]
async fn a_retry_is_paid_by_the_budget_and_a_never_is_not_retried() {
    let mut settings = settings(10);
    settings.client.retry_reserve_per_s = 2;
    settings.client.backoff_base_ms = 1;
    let guard = Guard::new(settings, Clock::system()).unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let client = |retry: Option<&'static str>| {
        let calls = calls.clone();
        let callee = service_fn(move |_: Request<String>| {
            calls.fetch_add(1, Ordering::SeqCst);
            let mut response = Response::builder().status(503);
            if let Some(retry) = retry {
                response = response.header("stopbank-retry", retry);
            }
            std::future::ready(Ok::<_, Infallible>(response.body(String::new()).unwrap()))
        });
        ServiceBuilder::new().layer(ClientGuardLayer::new(guard.callee("stock")).retrying()).service(callee)
    };
    client(Some("never")).oneshot(request("CRITICAL")).await.unwrap();
    assert_eq!(calls.swap(0, Ordering::SeqCst), 1, "never is never");
    client(None).oneshot(request("CRITICAL")).await.unwrap();
    assert_eq!(calls.swap(0, Ordering::SeqCst), 3, "two retries from the reserve");
    client(None).oneshot(request("CRITICAL")).await.unwrap();
    assert_eq!(calls.swap(0, Ordering::SeqCst), 1, "the reserve is used up");
    assert_eq!(guard.callee("stock").state().retries_refused, 1);
    let mut post = request("CRITICAL");
    *post.method_mut() = http::Method::POST;
    client(Some("after-ms=1")).oneshot(post).await.unwrap();
    assert_eq!(calls.swap(0, Ordering::SeqCst), 1, "no budget left");
}

#[tokio::test]
async fn a_commanded_breaker_says_why_and_a_timeout_is_a_failure() {
    let guard = guard(10);
    let callee = guard.callee("stock");
    let never = service_fn(|_: Request<String>| {
        std::future::poll_fn(|_| Poll::<Result<Response<String>, Infallible>>::Pending)
    });
    let client = ServiceBuilder::new().layer(ClientGuardLayer::new(callee.clone())).service(never);
    command(&guard, 1, Target::edge("cart", "stock"), Setting::Timeout { timeout_ms: 20 }, 60_000);
    let late = client.clone().oneshot(request("CRITICAL")).await.unwrap_err();
    assert!(matches!(late, ClientError::Timeout { after_ms: 20 }), "{late}");
    assert_eq!(callee.state().health.failed, 1);
    command(&guard, 2, Target::edge("cart", "stock"), Setting::Breaker { phase: model::BreakerPhase::Open }, 60_000);
    let stopped = client.oneshot(request("CRITICAL")).await.unwrap_err();
    assert!(
        matches!(stopped, ClientError::Stopped(Stopped::Breaker { reason: OpenReason::Commanded, .. })),
        "{stopped}"
    );
}

#[tokio::test]
async fn under_overload_the_newest_of_the_most_important_is_served_first() {
    let mut settings = settings(1);
    settings.server.lifo_after_ms = 100;
    settings.server.queue_bound_ms = Some(60_000);
    let clock = Clock::manual(1_000_000);
    let guard = Guard::new(settings, clock.clone()).unwrap();
    let served = Arc::new(std::sync::Mutex::new(Vec::new()));
    let order = served.clone();
    let work = service_fn(move |request: Request<String>| {
        order.lock().unwrap().push(request.into_body());
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let server = ServiceBuilder::new().layer(GuardLayer::new(guard.clone())).service(work);
    // so long after the queue was last empty a place gets free
    let after = async |wait_ms: u64| {
        let place = guard.try_admit(&guard::Request::default()).unwrap();
        let mut waiting = Vec::new();
        for (class, name) in [("CRITICAL", "a"), ("SHEDDABLE", "b"), ("CRITICAL", "c"), ("SHEDDABLE", "d")] {
            let mut request = request(class);
            *request.body_mut() = name.to_owned();
            waiting.push(tokio::spawn(server.clone().oneshot(request)));
            tokio::task::yield_now().await;
        }
        while guard.health().queued < 4 {
            tokio::task::yield_now().await;
        }
        clock.advance_ms(wait_ms);
        drop(place);
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        std::mem::take(&mut *served.lock().unwrap()).concat()
    };
    assert_eq!(after(50).await, "abcd", "a short queue is served in its order");
    assert_eq!(after(150).await, "cadb", "one that does not get empty is served from its other end, by class");
}
