//! Bytes to spans, and spans to bytes.
//!
//! [`Reader`] walks an OTLP record (protobuf or JSON) without building it and reduces each span to the few facts that
//! matter ([`model::Span`]). It is bounded: nothing is allocated because a count or a length in the payload says so,
//! and in the steady state nothing is allocated at all. It does no IO and reads no clock. [`emit`] writes OTLP,
//! [`capture`] reads and writes streams of OTLP records.

pub mod capture;
mod config;
pub mod emit;
mod facts;
mod metrics;
mod poison;
mod read;
mod reader;
mod reduce;

pub use config::{Encoding, Identity, IdentityPart, ReaderConfig};
pub use facts::{Facts, Oddities, Oddity};
pub use metrics::{Measured, MetricsReader, Tally, is_metrics_json};
pub use poison::{Poison, PoisonReason};
pub use reader::Reader;
pub use reduce::weight_of_share;
