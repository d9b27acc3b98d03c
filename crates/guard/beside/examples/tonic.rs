//! A tonic server and a tonic client behind the guard.

use guard::{ClientGuardLayer, Guard, GuardLayer};
use tonic::transport::{Channel, Server};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = Guard::builder("cart").start()?;
    let channel = Channel::from_static("http://stock:50051").connect_lazy();
    let stock = ServiceBuilder::new().layer(ClientGuardLayer::new(guard.callee("stock"))).service(channel);
    // `stock` goes to a generated client in place of the channel
    takes_the_place_of_a_channel(&stock);
    // the services that were generated
    let routes = tonic::service::Routes::default();
    Server::builder().layer(GuardLayer::new(guard)).add_routes(routes).serve("[::]:50051".parse()?).await?;
    Ok(())
}

fn takes_the_place_of_a_channel<S: tonic::client::GrpcService<tonic::body::Body>>(_: &S) {}
