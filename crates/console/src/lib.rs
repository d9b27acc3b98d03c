//! HTTP on the admin address: health, metrics, the live graph, findings, commands, orders, and one page for the on-call.
//!
//! It shows what a [`Station`] publishes and hands orders to it; it decides nothing and keeps no state of its own.
//! Whatever it cannot answer is an HTTP error, never a panic of the pipeline.

mod door;
mod events;
mod nodegraph;
mod page;
mod read;
mod server;
mod station;

pub use door::Door;
pub use server::{ConsoleError, Server, serve};
pub use station::{Event, Events, Health, OrderRefused, Pulse, Standing, Station, Status};
