//! What the admin address answers.

mod fake;

use console::{Door, Server, serve};
use fake::Fake;
use model::OrderKind;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn start(door: Door) -> (Server, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    let server = serve("127.0.0.1:0".parse().expect("an address"), door, fake.clone()).expect("a free port");
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
    let request = agent().post(format!("http://{}/orders", server.address()));
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
