//! Kafka as stopbank uses it: a source that assigns itself every partition, a transactional sink, claims whose broker
//! offset is the epoch, topics with the right policies, dead letters, and an embedded broker for the demo and tests.
//!
//! No decisions live here: bytes and offsets go in and out, errors are classified, and what happened is told as values.
//! Nothing here blocks a thread on data downstream, and no secret is ever printed.

mod check;
mod claims;
mod connection;
mod dead_letter;
mod embedded;
mod error;
mod heard;
mod oidc;
mod partition;
mod polled;
mod properties;
mod record;
mod sink;
mod source;
mod tail;
#[cfg(feature = "testing")]
pub mod testing;
mod topics;
mod writer;

pub use check::{Checked, check};
pub use claims::{Claim, ClaimEvent, Claims, ClaimsConfig};
pub use connection::Connection;
pub use dead_letter::{Poisoned, dead_letter};
pub use embedded::Embedded;
pub use error::Error;
pub use partition::{Edge, Isolation, Position, Positions, TopicPartition};
pub use properties::{Properties, hide_secrets};
pub use record::{Outgoing, Placed, RecordRef};
pub use sink::{Committed, Delivery, Sink, SinkConfig, SinkError, Step};
pub use source::{Crc, PartitionState, Polled, Source, SourceConfig, SourceEvent, Start};
pub use tail::{Tail, TailConfig, TailRecord};
pub use topics::{Cleanup, Provision, Telemetry, TopicSpec, TopicState, Topics, ensure_topics, remove_topics};
pub use writer::{Writer, WriterConfig, Written};
