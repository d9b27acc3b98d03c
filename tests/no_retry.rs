//! Promise: what a guard sheds or purges is not tried again by other people's clients, and does not count against the host.
//!
//! urllib3/requests, grpcio, gRPC-java and resilience4j, each with settings that do retry a plain failure.

mod support;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use control::{Key, Keyring, Role, Signer, Verdict};
use guard::{Clock, Guard, GuardLayer, LimitSettings, Settings};
use model::{Command, CommandId, Criticality, Mode, Setting, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{java, lines, python, root, succeed};

const DOMAIN: &str = "shop";

/// Tries, by path.
type Tries = Arc<Mutex<BTreeMap<String, u32>>>;

fn signer() -> Signer {
    Signer::from_seed([3; 32])
}

fn guard(service: &str, limit: u32, refuse_status: u16) -> Guard {
    let mut keyring = Keyring::new();
    keyring.add(Key::new(signer().public(), Role::Engine)).unwrap();
    let mut settings =
        Settings { service: service.into(), domain: DOMAIN.into(), keyring: Some(keyring), ..Settings::default() };
    settings.server.limit = LimitSettings::Fixed { limit };
    settings.server.class_share_permille = [1000; 4];
    settings.server.queue_bound_ms = Some(60_000);
    settings.server.refuse_status = refuse_status;
    let guard = Guard::new(settings, Clock::system()).unwrap();
    guard.caught_up();
    guard
}

fn command(guard: &Guard, sequence: u64, setting: Setting) {
    let command = Command {
        id: CommandId(format!("id-{sequence}")),
        sequence,
        ttl_ms: 600_000,
        target: Target::service(&guard.settings().service),
        knob: setting.knob(),
        setting: Some(setting),
        reason: model::Reason::default(),
        mode: Mode::Act,
    };
    let now_ms = guard.clock().now_ms();
    assert_eq!(guard.offer(&signer().command(DOMAIN, 1, &command, now_ms), now_ms), Verdict::Accepted);
}

/// A server with three rooms: `shed` refuses by priority as commanded, `purged` lets nobody have a turn and is purged as
/// commanded, `fails` has no guard. HTTP/1.1 and gRPC over HTTP/2 on one port.
fn serve(runtime: &tokio::runtime::Runtime, refuse_status: u16, tries: Tries) -> SocketAddr {
    let (shedding, purging) = (guard("shedding", 100, refuse_status), guard("purging", 1, refuse_status));
    command(&shedding, 1, Setting::Admission { lowest: Criticality::Critical, fraction_permille: 1000 });
    let room = |guard: Guard| any(|| async { "never reached" }).layer(GuardLayer::new(guard));
    let fails = any(|request: Request| async move {
        if request.headers().get("content-type").is_some_and(|kind| kind == "application/grpc") {
            let headers = [("content-type", "application/grpc"), ("grpc-status", "14")];
            return (headers, ()).into_response();
        }
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    });
    let place = runtime.block_on(purging.admit(&guard::Request::default())).unwrap();
    // Whoever waits behind it is dropped, as after an incident.
    let purge = purging.clone();
    runtime.spawn(async move {
        let _place = place;
        for sequence in 1.. {
            tokio::time::sleep(Duration::from_millis(100)).await;
            command(&purge, sequence, Setting::Purge { older_than_ms: 1 });
        }
    });
    let router = Router::new()
        .route("/shed/{case}", room(shedding.clone()))
        .route("/purged/{case}", room(purging.clone()))
        .route("/fails/{case}", fails.clone())
        .route("/no.Retry/{method}", any(grpc).with_state(Rooms { shed: room(shedding), purged: room(purging), fails }))
        .layer(from_fn_with_state(tries, count));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

/// gRPC has one segment for the method: its beginning says which room.
#[derive(Clone)]
struct Rooms {
    shed: axum::routing::MethodRouter,
    purged: axum::routing::MethodRouter,
    fails: axum::routing::MethodRouter,
}

async fn grpc(State(rooms): State<Rooms>, request: Request) -> Response {
    let method = request.uri().path().trim_start_matches("/no.Retry/").to_owned();
    let room = match method.split('-').next() {
        Some("shed") => rooms.shed,
        Some("purged") => rooms.purged,
        _ => rooms.fails,
    };
    tower::ServiceExt::oneshot(room, request).await.unwrap_or_else(|never| match never {})
}

async fn count(State(tries): State<Tries>, request: Request, next: Next) -> Response {
    *tries.lock().unwrap().entry(request.uri().path().to_owned()).or_default() += 1;
    let mut response = next.run(request).await;
    response.headers_mut().insert("server", HeaderValue::from_static("test"));
    response
}

/// Runs a client against both servers; gives what it says by case, and the tries by path.
fn ask(program: &Path, script: &str) -> (BTreeMap<String, Value>, BTreeMap<String, u32>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tries = Tries::default();
    let (mild, usual) = (serve(&runtime, 429, tries.clone()), serve(&runtime, 503, tries.clone()));
    let mut client = std::process::Command::new(program);
    client.arg(root().join("tests/clients").join(script)).args([mild.to_string(), usual.to_string()]);
    let said = lines(&succeed(&mut client).stdout);
    let said = said.into_iter().map(|line| (line["case"].as_str().unwrap().to_owned(), line)).collect();
    let tries = tries.lock().unwrap().clone();
    (said, tries)
}

#[test]
fn python_clients_leave_what_was_shed_or_purged_alone() {
    let Some(python) = python() else { return };
    let (said, tries) = ask(&python, "no_retry.py");
    assert_eq!(tries["/fails/fails"], 4, "these settings do retry a failure: {tries:?}");
    assert_eq!(tries["/no.Retry/fails-grpc-fails"], 4, "{tries:?}");
    for (case, status) in [("plain-429", 429), ("plain-503", 503), ("listed-429", 429)] {
        assert_eq!((tries[&format!("/shed/{case}")], &said[case]["status"]), (1, &Value::from(status)), "{case}");
    }
    assert_eq!((tries["/purged/purged-429"], &said["purged-429"]["status"]), (1, &Value::from(429)));
    // A client that lists 503 retries every 503: for such clients the guard is set to refuse with 429.
    assert_eq!(tries["/shed/listed-503"], 4);
    for number in 0..20 {
        assert_eq!(tries[&format!("/no.Retry/shed-grpc-{number}")], 1, "push-back beats the policy");
        assert_eq!(said[&format!("grpc-{number}")]["code"], "RESOURCE_EXHAUSTED");
    }
    assert_eq!(tries["/no.Retry/purged-grpc-purged"], 1);
    assert_eq!(said["channel"]["well"], true, "the host does not count as failing");
}

#[test]
fn java_clients_leave_what_was_shed_or_purged_alone() {
    let Some(java) = java() else { return };
    let (said, tries) = ask(&java, "NoRetry.java");
    assert_eq!(tries["/no.Retry/fails-java-fails"], 4, "this policy does retry a failure: {tries:?}");
    for number in 0..20 {
        assert_eq!(tries[&format!("/no.Retry/shed-java-{number}")], 1, "push-back beats the policy");
        assert_eq!(said[&format!("java-{number}")]["code"], "RESOURCE_EXHAUSTED");
    }
    assert_eq!(tries["/no.Retry/purged-java-purged"], 1);
    assert_eq!(said["java-channel"]["well"], true, "the host does not count as failing");
    assert_eq!((tries["/shed/r4j"], &said["r4j"]["breaker"]), (20, &Value::from("CLOSED")), "{}", said["r4j"]);
    assert_eq!(said["r4j"]["failed"], 0);
    assert_eq!(said["r4j-fails"]["breaker"], "OPEN", "a failing host does open this breaker");
}
