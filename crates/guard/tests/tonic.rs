//! Promise: tonic's servers and clients take the layers as they are: over real HTTP/2, calls are admitted and carry their
//! labels, what is shed is told in gRPC's words, and an open breaker reaches the caller with its reason.
#![allow(clippy::unwrap_used)] // that is how tests fail

mod common;

use bytes::{Buf, BufMut};
use common::{command, settings};
use guard::{ClientError, ClientGuardLayer, ClientGuardService, Clock, Guard, GuardLayer, Labels};
use model::{BreakerPhase, Criticality, Setting, Target};
use std::convert::Infallible;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tower::{ServiceBuilder, service_fn};

/// What `tonic-build` would generate for `service Cart { rpc Get (Text) returns (Text); }`, without protobuf.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Text;
    type Decoder = Text;

    fn encoder(&mut self) -> Text {
        Text
    }

    fn decoder(&mut self) -> Text {
        Text
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The server's side: says what it sees of the request, and fails if it is asked to.
#[derive(Clone)]
struct CartServer;

impl tonic::server::NamedService for CartServer {
    const NAME: &'static str = "shop.Cart";
}

impl Service<http::Request<Body>> for CartServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let get = service_fn(|request: Request<String>| async move {
                if request.get_ref() == "fail" {
                    return Err(Status::unavailable("no stock"));
                }
                let Labels { criticality, cohort, deadline_ms, .. } = Labels::current();
                Ok(Response::new(format!("{criticality:?} {cohort:?} {}", deadline_ms.is_some())))
            });
            Ok(tonic::server::Grpc::new(Text).unary(get, request).await)
        })
    }
}

/// The client's side, as it is generated: over whatever is a channel.
struct CartClient<C>(tonic::client::Grpc<C>);

impl CartClient<ClientGuardService<Channel>> {
    async fn get(&mut self, text: &str, labels: &Labels) -> Result<String, Status> {
        let mut request = Request::new(text.to_owned());
        request.extensions_mut().insert(*labels);
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::from_error(Box::new(error)))?;
        let path = http::uri::PathAndQuery::from_static("/shop.Cart/Get");
        Ok(self.0.unary(request, path, Text).await?.into_inner())
    }
}

/// A guarded server, and a guarded client of it.
async fn shop() -> (Guard, Guard, CartClient<ClientGuardService<Channel>>) {
    let (cart, web) = (Guard::new(settings(10), Clock::system()).unwrap(), Guard::new(settings(10), Clock::system()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(GuardLayer::new(cart.clone())).add_service(CartServer);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let web = web.unwrap();
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let channel = ServiceBuilder::new().layer(ClientGuardLayer::new(web.callee("cart"))).service(channel);
    (cart, web, CartClient(tonic::client::Grpc::new(channel)))
}

#[tokio::test]
async fn a_call_carries_its_labels_and_what_is_shed_is_told_in_grpcs_words() {
    let (cart, web, mut client) = shop().await;
    let labels = Labels { criticality: Some(Criticality::Sheddable), cohort: Some(17), ..Labels::default() };
    let said = client.get("book", &labels).await.unwrap();
    assert_eq!(said, "Some(Sheddable) Some(17) true");
    cart.step();
    assert_eq!((cart.report().admitted, cart.report().in_flight), ([1, 0, 0, 0], 0));

    // a command for one method, by the name that telemetry has for it
    let target = Target::operation("cart", "shop.Cart/Get");
    command(&cart, 1, target, Setting::Admission { lowest: Criticality::Critical, fraction_permille: 1000 }, 60_000);
    let shed = client.get("book", &labels).await.unwrap_err();
    assert_eq!(shed.code(), Code::ResourceExhausted, "{shed}");
    assert_eq!(shed.metadata().get("grpc-retry-pushback-ms").unwrap(), "-1");
    assert_eq!(shed.metadata().get("stopbank-reason").unwrap(), "priority");
    assert!(client.get("book", &Labels::default()).await.is_ok(), "what matters more is let in");
    assert_eq!(web.callee("cart").state().health.failed, 0, "a refusal is no failure");
}

#[tokio::test]
async fn an_open_breaker_reaches_the_caller_with_its_reason() {
    let (_cart, web, mut client) = shop().await;
    for _ in 0..20 {
        let failed = client.get("fail", &Labels::default()).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
    }
    let stopped = client.get("book", &Labels::default()).await.unwrap_err();
    assert!(stopped.message().contains("100.0 % of calls failed"), "{stopped}");
    assert_eq!(web.callee("cart").state().phase, BreakerPhase::Open);
    let source = std::error::Error::source(&stopped).and_then(|source| source.downcast_ref());
    assert!(matches!(source, Some(ClientError::<tonic::transport::Error>::Stopped(_))), "{source:?}");
}
