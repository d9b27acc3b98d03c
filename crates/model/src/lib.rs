//! The nouns that the rooms of stopbank exchange: spans as they come in, windows of rows, findings, commands
//! (leases on a knob of a target), guards' reports and people's orders.
//!
//! A type stands here only if two crates exchange it. Nothing here has behaviour beyond its own invariants, reads a
//! clock or does IO. Everything that is merged is an integer, so merging is exactly commutative.

mod audit;
mod command;
mod compact;
mod count;
mod criticality;
mod finding;
mod histogram;
mod interval;
mod name;
mod order;
mod queued;
mod report;
mod rollup;
mod row;
mod span;
mod strictness;
mod target;
mod view;
mod witness;

pub use audit::{AuditEntry, AuditKind};
pub use command::{Command, CommandId, Evidence, Knob, KnobKind, Mode, Reason, Setting};
pub use count::{Count, Weight};
pub use criticality::{Criticality, LEVELS};
pub use finding::{Finding, FindingId, FindingState, Signature};
pub use histogram::SparseHistogram;
pub use interval::Interval;
pub use name::{Name, NameId, Named, stable_hash};
pub use order::{Order, OrderKind};
pub use queued::Queued;
pub use report::{BreakerPhase, BreakerReport, GuardReport, Obeyed};
pub use rollup::{EdgeId, Rollup, Summed};
pub use row::{EdgeKey, EdgeKind, EdgeRow, FlowKey, FlowRow, LocalRow, ServiceKey, ServiceRow, Window};
pub use span::{FAILURES, Failure, Outcome, Span, SpanFlags, SpanId, SpanKind, TraceId};
pub use target::Target;
pub use view::{CountedBy, EdgeView, FlowView, GraphView, ServiceState, ServiceView, Threshold};
pub use witness::{Producer, Side, WitnessRow};
