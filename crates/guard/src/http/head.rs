//! A request without its body.

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// What may name a request's operation and say whether it may be sent twice.
#[derive(Clone, Copy, Debug)]
pub struct Head<'r> {
    /// The method.
    pub method: &'r Method,
    /// The address.
    pub uri: &'r Uri,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// What other layers have put there, such as axum's `MatchedPath`.
    pub extensions: &'r Extensions,
}

impl<'r> Head<'r> {
    /// The head of a request.
    pub fn of<B>(request: &'r Request<B>) -> Head<'r> {
        Head {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Is it a gRPC call?
    pub fn is_grpc(&self) -> bool {
        let kind = self.headers.get(http::header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
    }

    /// The operation where nothing better is known: the method of a gRPC call (`package.Service/Method`), else the path.
    pub fn path(&self) -> &'r str {
        let path = self.uri.path();
        if self.is_grpc() { path.trim_start_matches('/') } else { path }
    }

    /// May it be sent twice? By HTTP's rules (RFC 9110, 9.2.2), or because it carries an `idempotency-key`.
    pub fn is_idempotent(&self) -> bool {
        let safe = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE];
        safe.contains(self.method) || self.headers.contains_key("idempotency-key")
    }
}
