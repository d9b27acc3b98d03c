//! Findings and commands as server-sent events, with a bounded number of listeners.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

use crate::server::Shared;
use crate::station::Event;

/// More listeners than this are turned away.
const LISTENERS_MAX: usize = 64;
/// How often the station is asked for news.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Events under way to one listener.
const UNDER_WAY: usize = 64;

static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// One of a bounded number of listeners.
pub(crate) struct Seat(&'static AtomicUsize);

impl Seat {
    /// A seat among `max`, if one is free.
    pub(crate) fn take(taken: &'static AtomicUsize, max: usize) -> Option<Seat> {
        let is_free = taken.fetch_add(1, Ordering::Relaxed) < max;
        let seat = Seat(taken);
        is_free.then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) async fn events(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Some(seat) = Seat::take(&LISTENERS, LISTENERS_MAX) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many listeners; read /findings and /commands").into_response();
    };
    let mut next =
        last_event_id(&headers).map_or_else(|| shared.station.events(u64::MAX).next, |id| id.saturating_add(1));
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Sent, Infallible>>(UNDER_WAY);
    tokio::spawn(async move {
        let _seat = seat;
        while !sender.is_closed() && !shared.stopping() {
            let news = shared.station.events(next);
            next = news.next;
            for (at, event) in &news.events {
                if sender.send(Ok(sent(*at, event))).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()).into_response()
}

/// What a listener that comes back has seen last.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn sent(at: u64, event: &Event) -> Sent {
    let name = match event {
        Event::Finding(_) => "finding",
        Event::Command(_) => "command",
    };
    let data = serde_json::to_string(event).unwrap_or_else(|_| "{}".into());
    Sent::default().id(at.to_string()).event(name).data(data)
}
