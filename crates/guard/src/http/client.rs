//! The layer before a client: breaker, throttle, timeout, labels, and retries and hedges within the budget.

use super::answer::{failed, load_of, retry_of};
use super::head::Head;
use crate::callee::{Callee, End, Stopped};
use crate::labels::Labels;
use crate::span;
use admission::Retry;
use http::{Request, Response};
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;
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

/// What may be asked of a future that is raced.
type Answer<R, E> = Result<Response<R>, E>;

/// The first good answer of a try and, if it has none after a while, of a second one.
async fn race<R, E, F, G>(first: F, after: Duration, second: impl FnOnce() -> Option<G>) -> Answer<R, E>
where
    F: Future<Output = Answer<R, E>>,
    G: Future<Output = Answer<R, E>>,
{
    let mut first = pin!(first);
    if let Ok(answer) = timeout(after, first.as_mut()).await {
        return answer;
    }
    let Some(second) = second() else { return first.await };
    let mut second = pin!(second);
    let (mut first_is_bad, mut second_is_bad) = (false, false);
    poll_fn(|context| {
        if !first_is_bad && let Poll::Ready(answer) = first.as_mut().poll(context) {
            first_is_bad = !is_good(&answer);
            if !first_is_bad || second_is_bad {
                return Poll::Ready(answer);
            }
        }
        if !second_is_bad && let Poll::Ready(answer) = second.as_mut().poll(context) {
            second_is_bad = !is_good(&answer);
            if !second_is_bad || first_is_bad {
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    })
    .await
}

fn is_good<R, E>(answer: &Answer<R, E>) -> bool {
    answer.as_ref().is_ok_and(|response| {
        !failed(response.status(), response.headers()) && retry_of(response.status(), response.headers()).is_none()
    })
}

async fn call<S, A, B, R>(
    callee: Callee,
    mut inner: S,
    mut next: Request<B>,
    labels: Labels,
) -> Result<Response<R>, ClientError<S::Error>>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    A: Again<B>,
{
    let idempotent = Head::of(&next).is_idempotent();
    let mut call = callee.call(labels);
    loop {
        let attempt = call.attempt().map_err(ClientError::Stopped)?;
        let (wait, now_ms) = (attempt.timeout(), attempt.began_ms());
        attempt.labels().write(next.headers_mut(), now_ms);
        let again = A::again(&next);
        let number = attempt.number();
        if number == 1 {
            span::calls(&labels, wait.as_millis() as u64);
        }
        let hedge = attempt.hedge_after().filter(|_| idempotent);
        let hedged = hedge.and_then(|after| Some((after, again.as_ref().and_then(A::again)?)));
        let first = inner.call(next);
        let result = match hedged {
            None => timeout(wait, first).await,
            Some((after, mut copy)) => {
                let mut other = inner.clone();
                let labels = Labels { attempt: attempt.number() + 1, ..attempt.labels() };
                let second = || {
                    callee.may_hedge(labels.criticality.unwrap_or_default()).then_some(async move {
                        labels.write(copy.headers_mut(), now_ms + after.as_millis() as u64);
                        poll_fn(|context| other.poll_ready(context)).await?;
                        other.call(copy).await
                    })
                };
                // boxed, or every call would carry the space of two
                timeout(wait, Box::pin(race(first, after, second))).await
            }
        };
        let result = match result {
            Ok(result) => result.map_err(ClientError::Inner),
            Err(_) => Err(ClientError::Timeout { after_ms: wait.as_millis() as u64 }),
        };
        if let Some(load) = result.as_ref().ok().and_then(|response| load_of(response.headers())) {
            callee.heard_load(load);
        }
        let end = end(&result);
        let delay = call.end(attempt, end).filter(|_| idempotent || matches!(end, End::Refused(Retry::AfterMs(_))));
        let (Some(delay), Some(again)) = (delay, again) else {
            span::called(number);
            return result;
        };
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
