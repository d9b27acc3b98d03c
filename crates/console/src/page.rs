//! The page for the on-call: one document without any network asset, allowed to run its own script and nothing else.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::hash::{BuildHasher, RandomState};

const PAGE: &str = include_str!("page.html");

pub(crate) async fn page() -> Response {
    let nonce = format!("{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2));
    let policy = format!(
        "default-src 'none'; connect-src 'self'; img-src data:; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, PAGE.replace("{{nonce}}", &nonce)).into_response()
}
