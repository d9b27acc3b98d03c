//! HTTP on the admin address: health, metrics, the live graph, findings, commands, orders, and one page for the on-call;
//! and the control topic as server-sent events for guards without Kafka, with a way in for their reports.
//!
//! It shows what a [`Station`] publishes and hands orders and reports to it; it decides nothing and keeps no state of its own.
//! Whatever it cannot answer is an HTTP error, never a panic of the pipeline.

mod control;
mod door;
mod events;
mod nodegraph;
mod page;
mod read;
mod server;
mod station;

pub use door::Door;
pub use server::{ConsoleError, Doors, Server, serve};
pub use station::{
    Away, Control, ControlRecord, Event, Events, Health, OrderRefused, Pulse, Standing, Station, Status,
};
