//! The control topic over HTTP, for guards without Kafka: its state first, then every change, as server-sent events; and
//! their reports in. The records go out as they lie on the topic: whoever obeys verifies them, the console does not.

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use model::GuardReport;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

use crate::door;
use crate::events::{Seat, last_event_id};
use crate::server::Shared;
use crate::station::{Away, ControlRecord};

/// More guards than this need Kafka, or another stopbank to follow.
const GUARDS_MAX: usize = 1024;
/// How often the station is asked for changes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Events under way to one guard. One that reads slower misses nothing: of each key it gets the newest record.
const UNDER_WAY: usize = 64;
/// A comment goes out when nothing else has for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// One post holds so many reports at most.
const REPORTS_MAX: usize = 64;

static GUARDS: AtomicUsize = AtomicUsize::new(0);

/// `GET /control`: `command` events with the record's place as their id, and one `caught_up` event after the state.
pub(crate) async fn control(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Some(seat) = Seat::take(&GUARDS, GUARDS_MAX) else {
        return later("too many guards follow this address; follow another one, or Kafka");
    };
    let end = match shared.station.control(u64::MAX) {
        Ok(changes) => changes.next,
        Err(Away { why }) => return later(&why),
    };
    // A place past the end is one of another topic of that name: begin anew.
    let mut next = last_event_id(&headers).map(|id| id.saturating_add(1)).filter(|next| *next <= end).unwrap_or(0);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Sent, Infallible>>(UNDER_WAY);
    tokio::spawn(async move {
        let _seat = seat;
        let mut is_caught_up = false;
        while !sender.is_closed() && !shared.stopping() {
            let Ok(changes) = shared.station.control(next) else { return };
            next = changes.next;
            for (place, record) in &changes.records {
                if sender.send(Ok(sent(*place, record))).await.is_err() {
                    return;
                }
            }
            if !is_caught_up {
                is_caught_up = true;
                if sender.send(Ok(Sent::default().event("caught_up").data("{}"))).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn sent(place: u64, record: &ControlRecord) -> Sent {
    let data = serde_json::to_string(record).unwrap_or_else(|_| "{}".into());
    Sent::default().id(place.to_string()).event("command").data(data)
}

/// `POST /reports`: one report, or a list of them.
pub(crate) async fn reports(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(why) = door::may_enter(&shared.guards, peer.ip(), &headers) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    // A form of a foreign page cannot say that it is JSON.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send reports as application/json").into_response();
    }
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let parsed: Result<Vec<GuardReport>, _> = match is_list {
        true => serde_json::from_slice(&body),
        false => serde_json::from_slice(&body).map(|report| vec![report]),
    };
    let reports = match parsed {
        Ok(reports) if reports.len() <= REPORTS_MAX => reports,
        Ok(_) => return (StatusCode::BAD_REQUEST, format!("more than {REPORTS_MAX} reports")).into_response(),
        Err(error) => return (StatusCode::BAD_REQUEST, format!("no report.schema.json: {error}")).into_response(),
    };
    let station = shared.station.clone();
    match tokio::task::spawn_blocking(move || station.report(reports)).await {
        Ok(Ok(())) => StatusCode::ACCEPTED.into_response(),
        Ok(Err(Away { why })) => later(&why),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn later(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], why.to_owned()).into_response()
}
