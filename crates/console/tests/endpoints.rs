//! What the admin address answers.

mod fake;

use console::{ControlRecord, Door, Doors, Server, serve};
use fake::Fake;
use model::OrderKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn start(door: Door) -> (Server, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    let doors = Doors { orders: door.clone(), reports: door };
    let server = serve("127.0.0.1:0".parse().expect("an address"), doors, fake.clone()).expect("a free port");
    (server, fake)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

fn get(server: &Server, path: &str) -> (u16, String) {
    let mut answer = agent().get(format!("http://{}{path}", server.address())).call().expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

fn post(server: &Server, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    post_to(server, "/orders", headers, body)
}

fn post_to(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let request = agent().post(format!("http://{}{path}", server.address()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut answer = request.send(body).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn the_graph_is_the_published_one() {
    let (server, _) = start(Door::Loopback);
    let (code, body) = get(&server, "/graph");
    assert_eq!((code, body), (200, serde_json::to_string(&fake::graph()).expect("JSON")));
    let (_, body) = get(&server, "/graph?format=nodegraph");
    let grafana: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(grafana["edges"].as_array().map(Vec::len), Some(fake::graph().edges.len()));
    assert_eq!(get(&server, "/graph?format=nonsense").0, 400);
}

#[test]
fn health_and_metrics_answer_in_their_own_forms() {
    let (server, _) = start(Door::Loopback);
    assert_eq!(get(&server, "/health/livez").0, 200);
    let (code, body) = get(&server, "/health/readyz");
    assert!(code == 503 && body.contains("no broker answers"), "{code} {body}");
    assert_eq!(get(&server, "/metrics"), (200, "stopbank_spans_total 7\n".to_owned()));
    for path in ["/findings", "/commands", "/status", "/pulses", "/summary"] {
        let (code, body) = get(&server, path);
        assert!(code == 200 && serde_json::from_str::<Value>(&body).is_ok(), "{path}: {code} {body}");
    }
}

#[test]
fn an_order_from_this_machine_reaches_the_station() {
    let (server, fake) = start(Door::Loopback);
    let (code, body) = post(&server, &[JSON], r#"{"order":"disarm","by":"kim","note":"enough"}"#);
    assert_eq!((code, &body["done"]), (200, &Value::Bool(true)), "{body}");
    let orders = fake.orders.lock().expect("no panic");
    assert_eq!((orders[0].kind.clone(), orders[0].by.as_str()), (OrderKind::Disarm, "kim"));
}

#[test]
fn a_refused_order_says_why() {
    let (server, _) = start(Door::Loopback);
    let (code, body) = post(&server, &[JSON], r#"{"order":"approve","command":"c1","by":"kim"}"#);
    assert!(code == 409 && body["error"].to_string().contains("not proposed any more"), "{code} {body}");
    assert_eq!(post(&server, &[JSON], r#"{"order":"disarm","by":" "}"#).0, 400);
    assert_eq!(post(&server, &[JSON], r#"{"order":"explode","by":"kim"}"#).0, 422);
}

#[test]
fn a_form_of_a_foreign_page_cannot_order() {
    let (server, fake) = start(Door::Loopback);
    let body = r#"{"order":"disarm","by":"kim"}"#;
    assert_eq!(post(&server, &[("content-type", "text/plain")], body).0, 415);
    assert_eq!(post(&server, &[JSON, ("host", "evil.example")], body).0, 403);
    assert!(fake.orders.lock().expect("no panic").is_empty());
}

#[test]
fn with_a_token_nobody_orders_without_it() {
    let (server, _) = start(Door::Token("night".into()));
    let body = r#"{"order":"disarm","by":"kim"}"#;
    assert_eq!(post(&server, &[JSON], body).0, 403);
    assert_eq!(post(&server, &[JSON, ("authorization", "Bearer nigth")], body).0, 403);
    assert_eq!(post(&server, &[JSON, ("authorization", "Bearer night")], body).0, 200);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let (server, _) = start(Door::Loopback);
    let body = format!(r#"{{"order":"disarm","by":"kim","note":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(post(&server, &[JSON], &body).0, 413);
}

#[test]
fn events_stream_from_where_the_listener_was() {
    let (server, _) = start(Door::Loopback);
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 0\r\n\r\n").expect("a request");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let data = lines.filter(|line| line.starts_with("data:")).take(1).collect::<String>();
    assert!(data.contains(r#""type":"finding""#) && data.contains("payment"), "{data}");
}

fn command(place: u64, key: &str, value: &str) -> (u64, Arc<ControlRecord>) {
    let headers = BTreeMap::from([("ce_keyid".to_owned(), "ab".to_owned())]);
    (place, Arc::new(ControlRecord { key: key.into(), headers, value: value.into(), timestamp_ms: 7 }))
}

/// Opens the control topic's stream, as a guard that has seen everything up to `seen`.
fn follow(server: &Server, seen: Option<u64>) -> impl Iterator<Item = String> {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let seen = seen.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    stream.write_all(format!("GET /control HTTP/1.1\r\nhost: localhost\r\n{seen}\r\n").as_bytes()).expect("a request");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.filter(|line| ["event:", "id:", "data:"].iter().any(|name| line.starts_with(name)))
}

#[test]
fn the_control_topic_is_streamed_state_first_and_then_every_change_as_it_lies_there() {
    let (server, fake) = start(Door::Loopback);
    let value = r#"{"id": "c",  "knob":"purge"}"#;
    *fake.control.lock().expect("no panic") =
        vec![command(3, "shop/cart/purge", value), command(5, "shop/web/admission", "{}")];
    let mut lines = follow(&server, None);
    let state: Vec<String> = lines.by_ref().take(8).collect();
    assert_eq!((state[0].as_str(), state[1].as_str()), ("id: 3", "event: command"), "{state:?}");
    let record: ControlRecord = serde_json::from_str(state[2].trim_start_matches("data: ")).expect("JSON");
    assert_eq!((record.value.as_str(), record.timestamp_ms, record.headers["ce_keyid"].as_str()), (value, 7, "ab"));
    assert_eq!(state[6..], ["event: caught_up", "data: {}"]);
    fake.control.lock().expect("no panic").push(command(9, "shop/web/admission", "[]"));
    assert!(lines.by_ref().take(3).any(|line| line == "id: 9"), "a change follows");
    let again: Vec<String> = follow(&server, Some(5)).take(3).collect();
    assert!(again.iter().any(|line| line == "id: 9"), "whoever comes back goes on where it was: {again:?}");
    let lost: Vec<String> = follow(&server, Some(99)).take(3).collect();
    assert!(lost.iter().any(|line| line == "id: 3"), "a place that is not there yet is one of another topic: {lost:?}");
}

#[test]
fn reports_of_guards_reach_the_station_one_by_one_or_together() {
    let (server, fake) = start(Door::Token("guards".into()));
    let report = r#"{"service":"cart","instance":"1","at_ms":1,"queued":0,"queue_delay_ms":0,"in_flight":2,"workers":4,
        "admitted":[0,0,9,0],"shed":[1,0,0,0],"completed":9,"expired":0,"retries_refused":0}"#;
    let token = ("authorization", "Bearer guards");
    assert_eq!(post_to(&server, "/reports", &[JSON], report).0, 403);
    assert_eq!(post_to(&server, "/reports", &[token, ("content-type", "text/plain")], report).0, 415);
    assert_eq!(post_to(&server, "/reports", &[token, JSON], r#"{"service":7}"#).0, 400);
    assert_eq!(post_to(&server, "/reports", &[token, JSON], report).0, 202);
    assert_eq!(post_to(&server, "/reports", &[token, JSON], &format!("[{report},{report}]")).0, 202);
    let taken = fake.reports.lock().expect("no panic");
    assert_eq!((taken.len(), taken[0].service.as_str(), taken[0].admitted[2]), (3, "cart", 9));
}

#[test]
fn the_page_is_whole_and_may_run_its_own_script_only() {
    let (server, _) = start(Door::Loopback);
    let url = format!("http://{}/", server.address());
    let mut answer = agent().get(url).call().expect("an answer");
    let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
    let page = answer.body_mut().read_to_string().expect("text");
    let nonce = policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(policy.starts_with("default-src 'none'") && page.contains(&format!("<script nonce=\"{nonce}\">")));
    for outside in ["https://", "src=\"//", "@import", "innerHTML", "insertAdjacentHTML", "document.write"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_stopped_console_is_gone() {
    let (server, _) = start(Door::Loopback);
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err());
}
