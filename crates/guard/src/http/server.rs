//! The layer before a server: admits, queues or answers at once.

use super::answer::{LOAD, failed, load_value, refusal_response};
use super::head::Head;
use crate::guard::{Entered, Guard, Waiter};
use crate::labels::{Labels, with_current};
use crate::permit::Permit;
use crate::refusal::Refusal;
use crate::span;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Names a request's operation.
type Name = Arc<dyn Fn(Head<'_>) -> String + Send + Sync>;

/// Guards a server. Put it outermost, but inside of what makes the server's span.
///
/// It reads the request's [`Labels`], admits it, lets it wait or refuses it, and puts the labels into the request's
/// extensions and into [`Labels::current`] for [`crate::ClientGuardLayer`].
#[derive(Clone)]
pub struct GuardLayer {
    guard: Guard,
    name: Option<Name>,
}

impl GuardLayer {
    /// A layer for `guard`. Operations are named by their path (gRPC: `package.Service/Method`).
    pub fn new(guard: Guard) -> GuardLayer {
        GuardLayer { guard, name: None }
    }

    /// Names operations otherwise: as the service's telemetry does (`http.route`), or commands for one operation will not
    /// find it.
    #[must_use]
    pub fn operation(mut self, name: impl Fn(Head<'_>) -> String + Send + Sync + 'static) -> GuardLayer {
        self.name = Some(Arc::new(name));
        self
    }
}

impl fmt::Debug for GuardLayer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GuardLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { layer: self.clone(), inner }
    }
}

/// A guarded server.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    layer: GuardLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = GuardFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> GuardFuture<S, B> {
        let guard = &self.layer.guard;
        let settings = &guard.settings().server;
        if settings.edge {
            Labels::strip(request.headers_mut());
        }
        let now_us = guard.clock().now_us();
        let mut labels = Labels::read(request.headers(), now_us / 1000);
        let head = Head::of(&request);
        let (grpc, status) = (head.is_grpc(), settings.refuse_status);
        let asked = match &self.layer.name {
            Some(name) => guard.request(&labels, &name(head)),
            None => guard.request(&labels, head.path()),
        };
        labels.criticality = Some(asked.criticality);
        request.extensions_mut().insert(labels);
        span::asked(&labels);
        let state = match guard.enter(&asked, now_us) {
            Entered::Admitted(permit) => {
                let future = with_current(labels, || self.inner.call(request));
                State::Works { future, permit: Some(permit) }
            }
            Entered::Refused(refusal) => State::Refused { refusal },
            Entered::Waits(waiter) => {
                // the one that was found ready does the work; the fresh one takes its place
                let fresh = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, fresh);
                State::Waits { waiter, work: Some(Box::new((inner, request))) }
            }
        };
        GuardFuture { state, labels, grpc, status }
    }
}

pin_project! {
    /// The answer of a guarded server.
    #[allow(missing_docs)]
    pub struct GuardFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
        labels: Labels,
        grpc: bool,
        status: u16,
    }
}

pin_project! {
    #[project = StateNow]
    enum State<S, B, F> {
        Waits { waiter: Waiter, work: Option<Box<(S, Request<B>)>> },
        Works { #[pin] future: F, permit: Option<Permit<'static>> },
        Refused { refusal: Refusal },
    }
}

impl<S, B, R> Future for GuardFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let labels = *this.labels;
        loop {
            let next = match this.state.as_mut().project() {
                StateNow::Works { future, permit } => {
                    let mut result = ready!(with_current(labels, || future.poll(context)));
                    let load = permit.as_ref().and_then(Permit::load_permille);
                    if let (Ok(response), Some(load)) = (&mut result, load) {
                        response.headers_mut().insert(LOAD, load_value(load));
                    }
                    let done = result.as_ref().is_ok_and(|response| !failed(response.status(), response.headers()));
                    match permit.take() {
                        Some(permit) if done => permit.succeed(),
                        Some(permit) => permit.fail(),
                        None => {}
                    }
                    return Poll::Ready(result);
                }
                StateNow::Refused { refusal } => {
                    span::refused(refusal);
                    let status = StatusCode::from_u16(*this.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                    return Poll::Ready(Ok(refusal_response(refusal, *this.grpc, status)));
                }
                StateNow::Waits { waiter, work } => match (ready!(waiter.poll(context)), work.take()) {
                    (Ok(permit), Some(work)) => {
                        let (mut inner, request) = *work;
                        span::waited(permit.waited_ms());
                        let future = with_current(labels, || inner.call(request));
                        State::Works { future, permit: Some(permit) }
                    }
                    (Err(refusal), _) => State::Refused { refusal },
                    (Ok(_), None) => unreachable!("the request is kept until its turn, which comes once"),
                },
            };
            this.state.set(next);
        }
    }
}
