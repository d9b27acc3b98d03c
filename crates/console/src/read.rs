//! What can be read: each handler turns one answer of the station into a body.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::nodegraph::nodegraph;
use crate::server::Shared;
use crate::station::Health;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct GraphQuery {
    #[serde(default)]
    format: GraphFormat,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GraphFormat {
    /// The project's own form.
    #[default]
    Json,
    /// What Grafana's node graph panel reads.
    Nodegraph,
}

pub(crate) async fn graph(State(shared): State<Shared>, Query(query): Query<GraphQuery>) -> Response {
    let view = shared.station.graph();
    match query.format {
        GraphFormat::Json => Json(&*view).into_response(),
        GraphFormat::Nodegraph => Json(nodegraph(&view)).into_response(),
    }
}

pub(crate) async fn findings(State(shared): State<Shared>) -> Response {
    Json(shared.station.findings()).into_response()
}

pub(crate) async fn commands(State(shared): State<Shared>) -> Response {
    Json(shared.station.commands()).into_response()
}

pub(crate) async fn status(State(shared): State<Shared>) -> Response {
    Json(shared.station.status()).into_response()
}

pub(crate) async fn pulses(State(shared): State<Shared>) -> Response {
    Json(shared.station.pulses()).into_response()
}

pub(crate) async fn summary(State(shared): State<Shared>) -> Response {
    Json(shared.station.summary()).into_response()
}

pub(crate) async fn metrics(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.station.metrics()).into_response()
}

pub(crate) async fn livez(State(shared): State<Shared>) -> Response {
    health(&shared.station.live())
}

pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    health(&shared.station.ready())
}

fn health(health: &Health) -> Response {
    let code = if health.well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(health)).into_response()
}
