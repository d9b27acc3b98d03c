//! Promise: a service without Kafka follows the console's stream: it takes the state first, goes on where it was when the
//! connection breaks, carries on while nobody answers, and reports each second.
#![allow(clippy::unwrap_used)] // that is how tests fail

mod common;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use common::{record, settings};
use control::Record;
use guard::{Guard, GuardBuilder};
use model::{Criticality, GuardReport, Setting, Target};
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A console as far as a guard sees it: two events to a connection, then it hangs up.
#[derive(Clone, Default)]
struct Console {
    records: Arc<Mutex<Vec<(Record, u64)>>>,
    asked_from: Arc<Mutex<Vec<Option<String>>>>,
    reports: Arc<Mutex<Vec<GuardReport>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

async fn control(
    State(console): State<Console>,
    headers: HeaderMap,
) -> Sse<tokio_stream::Iter<std::vec::IntoIter<Result<Event, Infallible>>>> {
    let from = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    let seen = from.as_ref().map_or(0, |id| id.parse::<usize>().unwrap() + 1);
    console.asked_from.lock().unwrap().push(from);
    let records = console.records.lock().unwrap();
    let mut events: Vec<Result<Event, Infallible>> = Vec::new();
    for (at, (record, broker_ms)) in records.iter().enumerate().skip(seen).take(1) {
        let headers: serde_json::Map<String, serde_json::Value> =
            record.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let value = std::str::from_utf8(&record.value).unwrap();
        let data = json!({ "key": record.key, "headers": headers, "value": value, "timestamp_ms": broker_ms });
        events.push(Ok(Event::default().id(at.to_string()).event("command").data(data.to_string())));
    }
    events.push(Ok(Event::default().event("caught_up").data("{}")));
    Sse::new(tokio_stream::iter(events))
}

async fn reports(State(console): State<Console>, headers: HeaderMap, Json(report): Json<GuardReport>) {
    console.tokens.lock().unwrap().push(headers["authorization"].to_str().unwrap().to_owned());
    console.reports.lock().unwrap().push(report);
}

async fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(15), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_follows_the_console_and_reports_to_it() {
    let console = Console::default();
    let admission = Setting::Admission { lowest: Criticality::Critical, fraction_permille: 500 };
    let first = record(1, Target::service("cart"), admission, 60_000, now_ms());
    let second = record(2, Target::service("cart"), Setting::KillSwitch { level: 2 }, 60_000, now_ms());
    *console.records.lock().unwrap() = vec![(first, now_ms()), (second, now_ms())];
    // the guard is there before the console
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let guard: Guard =
        GuardBuilder::from(settings(10)).console(&format!("http://{address}"), Some("night")).start().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(guard.try_admit(&guard::Request::default()).is_ok(), "nobody answers, and it works");
    assert_eq!((guard.health().heard_ago_ms, guard.health().caught_up), (None, false));

    let router = Router::new().route("/control", get(control)).route("/reports", post(reports));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(axum::serve(listener, router.with_state(console.clone())).into_future());
    wait_until("both commands in force", || guard.health().orders.len() == 2).await;
    assert_eq!((guard.kill_level(), guard.health().caught_up), (2, true));
    assert!(guard.health().admits == (Criticality::Critical, 500) && guard.health().heard_ago_ms.is_some());
    let asked = console.asked_from.lock().unwrap().clone();
    assert_eq!(asked[..2], [None, Some("0".to_owned())], "it goes on where it was");
    wait_until("a report that says what is obeyed", || {
        console.reports.lock().unwrap().iter().any(|report| report.obeyed.len() == 2 && report.service == "cart")
    })
    .await;
    assert_eq!(console.tokens.lock().unwrap()[0], "Bearer night");
}

#[test]
fn an_address_that_cannot_be_used_is_named() {
    let error = |url: &str| GuardBuilder::from(settings(1)).console(url, None).start().unwrap_err().to_string();
    assert!(error("https://stopbank:7700").contains("TLS"));
    assert!(error("stopbank").contains("console.url"));
}
