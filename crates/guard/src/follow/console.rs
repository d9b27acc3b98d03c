//! The control topic as server-sent events from stopbank's console, and reports posted to it.
//!
//! `GET /control` streams the records of the control topic, state first (`event: command`, then one `event: caught_up`), as
//! `{"key", "headers", "value", "timestamp_ms"}` with the value's exact text, so that signatures verify here and the console
//! need not be trusted. `POST /reports` takes a report as JSON.

use super::sse::{Event, Parser};
use super::{REPORT_EVERY, wait};
use crate::settings::{ConsoleSettings, SettingsError, wrong};
use crate::shared::Shared;
use control::Record;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection or an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The console says something at least every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Where the console is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
    authority: HeaderValue,
    path: String,
    token: Option<HeaderValue>,
}

impl Address {
    pub(super) fn parse(settings: &ConsoleSettings) -> Result<Address, SettingsError> {
        let wrong = |why: &str| wrong("console.url", format!("is `{}`, {why}", settings.url));
        let uri: Uri = settings.url.parse().map_err(|_| wrong("which is no address: write http://host:port"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("and only http is spoken here: for TLS put a proxy on this machine before it"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("which names no host: write http://host:port"))?;
        let header = HeaderValue::try_from(authority.as_str()).map_err(|_| wrong("which is no host"))?;
        let token = settings.token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let token =
            token.transpose().map_err(|_| super::super::settings::wrong("console.token", "is no header value"))?;
        Ok(Address {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: header,
            path: uri.path().trim_end_matches('/').to_owned(),
            token,
        })
    }

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.path).parse().map_err(|_| "the path is wrong".to_owned())?;
        request.headers_mut().insert(HOST, self.authority.clone());
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = timeout(PATIENCE, TcpStream::connect((self.host.as_str(), self.port))).await;
        let stream = stream.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // it ends with the sender; its errors are the sender's too
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// A record as the console sends it.
#[derive(Debug, Deserialize)]
struct Sent {
    key: String,
    headers: BTreeMap<String, String>,
    value: String,
    timestamp_ms: u64,
}

/// Follows and reports until the guard is gone.
pub(super) fn run(shared: &Weak<Shared>, address: &Address, reports: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "the guard cannot follow the console"))
    else {
        return;
    };
    runtime.block_on(async {
        let report = async {
            if reports {
                report(shared, address).await;
            }
        };
        tokio::join!(follow(shared, address), report);
    });
}

async fn follow(shared: &Weak<Shared>, address: &Address) {
    let (mut last_id, mut tries) = (None, 0);
    while shared.strong_count() > 0 {
        let before = last_id.clone();
        let why = match stream(shared, address, &mut last_id).await {
            Ok(()) => "the stream has ended".to_owned(),
            Err(why) => why,
        };
        tries = if last_id == before { tries + 1 } else { 0 };
        tracing::warn!(console = ?address.authority, %why, "no orders from the console; the guard goes on by itself");
        let until = tokio::time::Instant::now() + wait(tries);
        while shared.strong_count() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn stream(shared: &Weak<Shared>, address: &Address, last_id: &mut Option<String>) -> Result<(), String> {
    let mut sender = address.connect().await?;
    let mut request = address.request(Method::GET, "/control", Vec::new())?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(id) = last_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        request.headers_mut().insert("last-event-id", id);
    }
    let response = timeout(PATIENCE, sender.send_request(request)).await.map_err(|_| "no answer in time".to_owned())?;
    let response = response.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("GET /control was answered {}", response.status()));
    }
    read(shared, response.into_body(), last_id).await
}

async fn read(shared: &Weak<Shared>, mut body: Incoming, last_id: &mut Option<String>) -> Result<(), String> {
    let (mut parser, mut silent) = (Parser::default(), Duration::ZERO);
    const LOOK: Duration = Duration::from_millis(500);
    loop {
        let frame = timeout(LOOK, body.frame()).await;
        let Some(shared) = shared.upgrade() else { return Ok(()) };
        let Ok(frame) = frame else {
            silent += LOOK;
            if silent >= SILENCE_MAX {
                return Err(format!("nothing was heard for {} s", SILENCE_MAX.as_secs()));
            }
            continue;
        };
        silent = Duration::ZERO;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| error.to_string())?;
        shared.heard();
        for event in frame.data_ref().map(|bytes| parser.feed(bytes)).unwrap_or_default() {
            take(&shared, &event)?;
            if event.id.is_some() {
                *last_id = event.id;
            }
        }
    }
}

fn take(shared: &Shared, event: &Event) -> Result<(), String> {
    match event.name.as_str() {
        "command" => {
            let sent: Sent = serde_json::from_str(&event.data)
                .map_err(|error| format!("an event is no record ({error}): is this stopbank's console?"))?;
            let Sent { key, headers, value, timestamp_ms } = sent;
            let record = Record { key, value: value.into_bytes(), headers: headers.into_iter().collect() };
            shared.offer(&record, timestamp_ms);
        }
        "caught_up" => shared.caught_up(),
        _ => {}
    }
    Ok(())
}

async fn report(shared: &Weak<Shared>, address: &Address) {
    let mut every = tokio::time::interval(REPORT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut sender, mut was_well) = (None, true);
    loop {
        every.tick().await;
        let Some(report) = shared.upgrade().map(|shared| shared.report()) else { return };
        let body = serde_json::to_vec(&report).unwrap_or_default();
        let result = post(&mut sender, address, body).await;
        if let Err(why) = &result
            && was_well
        {
            tracing::warn!(console = ?address.authority, %why, "a report was lost");
        }
        was_well = result.is_ok();
    }
}

async fn post(kept: &mut Option<SendRequest<Full<Bytes>>>, address: &Address, body: Vec<u8>) -> Result<(), String> {
    let mut sender = match kept.take() {
        Some(sender) if !sender.is_closed() => sender,
        _ => address.connect().await?,
    };
    let mut request = address.request(Method::POST, "/reports", body)?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let response = timeout(PATIENCE, sender.send_request(request)).await.map_err(|_| "no answer in time".to_owned())?;
    let response = response.map_err(|error| error.to_string())?;
    let status = response.status();
    timeout(PATIENCE, response.into_body().collect())
        .await
        .map_err(|_| "no end in time".to_owned())?
        .map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("POST /reports was answered {status}"));
    }
    *kept = Some(sender);
    Ok(())
}
