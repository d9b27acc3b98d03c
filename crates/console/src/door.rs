//! Who may order, and whose reports count: the one check before either reaches the station. Without a token only this machine may, and only from
//! a page of this server or a program, so that no foreign web page can order in its reader's name.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Order, OrderKind};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::server::Shared;
use crate::station::OrderRefused;

/// Who may order, or report, over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Only connections from this machine.
    #[default]
    Loopback,
    /// Whoever shows this bearer token.
    Token(String),
}

/// An order as it is posted: `{"order":"disarm","by":"…","note":"…"}` and the order's own fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Posted {
    #[serde(default)]
    id: Option<String>,
    by: String,
    #[serde(default)]
    note: String,
    #[serde(flatten)]
    kind: OrderKind,
}

static POSTED: AtomicU64 = AtomicU64::new(0);

pub(crate) async fn order(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(posted): Json<Posted>,
) -> Response {
    if let Err(why) = may_enter(&shared.door, peer.ip(), &headers) {
        return answer(StatusCode::FORBIDDEN, why);
    }
    if posted.by.trim().is_empty() || posted.by.len() > 200 || posted.note.len() > 2000 {
        return answer(StatusCode::BAD_REQUEST, "say who orders in \"by\" (1 to 200 bytes; the note has up to 2000)");
    }
    let at_ms = shared.station.status().now_ms;
    let order = Order {
        id: posted.id.unwrap_or_else(|| format!("http-{at_ms}-{}", POSTED.fetch_add(1, Ordering::Relaxed))),
        by: posted.by,
        note: posted.note,
        at_ms,
        kind: posted.kind,
    };
    tracing::info!(order = %order.id, by = %order.by, peer = %peer, "order over http");
    let id = order.id.clone();
    let station = shared.station.clone();
    match tokio::task::spawn_blocking(move || station.order(order)).await {
        Ok(Ok(())) => (StatusCode::OK, Json(serde_json::json!({ "done": true, "id": id }))).into_response(),
        Ok(Err(why @ OrderRefused::Away { .. })) => answer(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
        Ok(Err(why)) => answer(StatusCode::CONFLICT, &why.to_string()),
        Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, "the order was not carried out: its task died"),
    }
}

fn answer(code: StatusCode, why: &str) -> Response {
    (code, Json(serde_json::json!({ "done": false, "error": why }))).into_response()
}

/// May a connection from `peer` with these headers come in?
pub(crate) fn may_enter(door: &Door, peer: IpAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    match door {
        Door::Token(token) => {
            let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let shown = shown.strip_prefix("Bearer ").unwrap_or_default();
            same(shown.as_bytes(), token.as_bytes()).then_some(()).ok_or("show the token: `Authorization: Bearer …`")
        }
        Door::Loopback if !peer.to_canonical().is_loopback() => Err(
            "without a configured token this is taken from this machine only; set `admin.token` for orders, `admin.guard_token` for \
             reports",
        ),
        Door::Loopback if !host_is_local(headers) => Err(
            "the Host header does not name this machine; use http://127.0.0.1, or set `admin.token` (for reports `admin.guard_token`)",
        ),
        Door::Loopback => Ok(()),
    }
}

/// A foreign page can make a browser connect to this machine under a name of its own; the `Host` header gives it away.
fn host_is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Equality whose time depends on the lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let name = |text: &str| axum::http::HeaderName::try_from(text).expect("a header name");
        pairs.iter().map(|(key, value)| (name(key), value.parse().expect("a header value"))).collect()
    }

    #[test]
    fn without_a_token_only_this_machine_orders() {
        let local: IpAddr = "127.0.0.1".parse().expect("an address");
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().expect("an address");
        let other: IpAddr = "10.0.0.9".parse().expect("an address");
        let here = headers(&[("host", "127.0.0.1:7700")]);
        assert!(may_enter(&Door::Loopback, local, &here).is_ok());
        assert!(may_enter(&Door::Loopback, mapped, &headers(&[("host", "[::1]:7700")])).is_ok());
        assert!(may_enter(&Door::Loopback, other, &here).is_err());
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_refused() {
        let local: IpAddr = "127.0.0.1".parse().expect("an address");
        assert!(may_enter(&Door::Loopback, local, &headers(&[("host", "evil.example:7700")])).is_err());
    }

    #[test]
    fn with_a_token_everybody_who_shows_it_orders() {
        let other: IpAddr = "10.0.0.9".parse().expect("an address");
        let door = Door::Token("night".into());
        assert!(may_enter(&door, other, &headers(&[("authorization", "Bearer night")])).is_ok());
        assert!(may_enter(&door, other, &headers(&[("authorization", "Bearer nigh")])).is_err());
        assert!(may_enter(&door, other, &HeaderMap::new()).is_err());
    }
}
