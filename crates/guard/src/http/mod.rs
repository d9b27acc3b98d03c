//! Tower layers for HTTP and gRPC: [`GuardLayer`] before a server, [`ClientGuardLayer`] before a client.

mod answer;
mod client;
mod head;
mod server;

pub use answer::{LOAD, PUSHBACK, REASON, RETRY, refusal_response, retry_of};
pub use client::{Again, ClientError, ClientGuardLayer, ClientGuardService, Cloned, Once};
pub use head::Head;
pub use server::{GuardFuture, GuardLayer, GuardService};
