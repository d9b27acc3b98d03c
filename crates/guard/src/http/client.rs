//! The layer before a client: breaker, timeout, labels, and retries within the budget.

use super::answer::{failed, retry_of};
use super::head::Head;
use crate::callee::{Callee, End, Stopped};
use crate::labels::Labels;
use crate::span;
use admission::Retry;
use http::{Request, Response};
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// How a request is sent a second time.
pub trait Again<B>: Clone + Send + Sync + 'static {
    /// A copy for another try, or nothing: then there is only one.
    fn again(request: &Request<B>) -> Option<Request<B>>;
}

/// Each request is sent once: for bodies that cannot be copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once;

impl<B> Again<B> for Once {
    fn again(_: &Request<B>) -> Option<Request<B>> {
        None
    }
}

/// A request is sent again by cloning it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cloned;

impl<B: Clone> Again<B> for Cloned {
    fn again(request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

/// Guards a client's calls to one callee.
#[derive(Clone, Debug)]
pub struct ClientGuardLayer<A = Once> {
    callee: Callee,
    again: PhantomData<fn() -> A>,
}

impl ClientGuardLayer<Once> {
    /// A layer that sends each request once.
    pub fn new(callee: Callee) -> ClientGuardLayer<Once> {
        ClientGuardLayer { callee, again: PhantomData }
    }

    /// The same with retries. What failed is only sent again if it may be ([`Head::is_idempotent`]); what was refused was
    /// not worked on and always may.
    #[must_use]
    pub fn retrying(self) -> ClientGuardLayer<Cloned> {
        ClientGuardLayer { callee: self.callee, again: PhantomData }
    }
}

impl<S, A> Layer<S> for ClientGuardLayer<A> {
    type Service = ClientGuardService<S, A>;

    fn layer(&self, inner: S) -> ClientGuardService<S, A> {
        ClientGuardService { callee: self.callee.clone(), inner, again: PhantomData }
    }
}

/// A guarded client.
#[derive(Debug)]
pub struct ClientGuardService<S, A = Once> {
    callee: Callee,
    inner: S,
    again: PhantomData<fn() -> A>,
}

impl<S: Clone, A> Clone for ClientGuardService<S, A> {
    fn clone(&self) -> Self {
        ClientGuardService { callee: self.callee.clone(), inner: self.inner.clone(), again: PhantomData }
    }
}

/// Why a guarded call has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError<E> {
    /// It was not made.
    Stopped(Stopped),
    /// No answer in time.
    Timeout {
        /// How long the last try was waited for, milliseconds.
        after_ms: u64,
    },
    /// The client's own error.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for ClientError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Stopped(stopped) => stopped.fmt(out),
            ClientError::Timeout { after_ms } => write!(out, "no answer within {after_ms} ms"),
            ClientError::Inner(error) => error.fmt(out),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for ClientError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Stopped(stopped) => Some(stopped),
            ClientError::Timeout { .. } => None,
            ClientError::Inner(error) => Some(error),
        }
    }
}

impl<S, A, B, R> Service<Request<B>> for ClientGuardService<S, A>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    A: Again<B>,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = ClientError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, ClientError<S::Error>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(ClientError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let labels = request.extensions().get::<Labels>().copied().unwrap_or_else(Labels::current);
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(call::<S, A, B, R>(self.callee.clone(), inner, request, labels))
    }
}

async fn call<S, A, B, R>(
    callee: Callee,
    mut inner: S,
    first: Request<B>,
    labels: Labels,
) -> Result<Response<R>, ClientError<S::Error>>
where
    S: Service<Request<B>, Response = Response<R>>,
    A: Again<B>,
{
    let idempotent = Head::of(&first).is_idempotent();
    let mut call = callee.call(labels);
    let mut next = first;
    loop {
        let attempt = call.attempt().map_err(ClientError::Stopped)?;
        let again = A::again(&next);
        let wait = attempt.timeout();
        attempt.labels().write(next.headers_mut(), callee.clock().now_ms());
        span::tried(attempt.number(), wait.as_millis() as u64);
        let result = match tokio::time::timeout(wait, inner.call(next)).await {
            Ok(result) => result.map_err(ClientError::Inner),
            Err(_) => Err(ClientError::Timeout { after_ms: wait.as_millis() as u64 }),
        };
        let end = end(&result);
        let delay = call.end(attempt, end).filter(|_| idempotent || matches!(end, End::Refused(Retry::AfterMs(_))));
        let (Some(delay), Some(again)) = (delay, again) else { return result };
        tokio::time::sleep(delay).await;
        poll_fn(|context| inner.poll_ready(context)).await.map_err(ClientError::Inner)?;
        next = again;
    }
}

fn end<R, E>(result: &Result<Response<R>, ClientError<E>>) -> End {
    match result {
        Err(_) => End::Failure,
        Ok(response) => match retry_of(response.status(), response.headers()) {
            Some(retry) => End::Refused(retry),
            None if failed(response.status(), response.headers()) => End::Failure,
            None => End::Success,
        },
    }
}
