//! What an exporter collects: spans as places in the plan's tables, a few dozen bytes each.

use super::plan::Plan;
use crate::topology::Protocol;
use admission::Retry;
use model::{Criticality, Failure, SpanKind};
use std::fmt;
use std::sync::Arc;

/// How a request or an attempt ended, as its caller hears it. A refusal that is passed on stays a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    Failed { failure: Failure, retry: Retry },
}

impl Answer {
    /// A failure that is worth another try at once.
    pub(crate) fn failed(failure: Failure) -> Answer {
        Answer::Failed { failure, retry: Retry::AfterMs(0) }
    }

    /// A failure that is not to be tried again.
    pub(crate) fn final_failure(failure: Failure) -> Answer {
        Answer::Failed { failure, retry: Retry::Never }
    }
}

/// A span that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanRecord {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    /// An edge for client and producer spans, else an operation.
    pub(crate) place: u32,
    /// The edge over which a server span was asked.
    pub(crate) asked_by: u32,
    pub(crate) kind: SpanKind,
    pub(crate) answer: Answer,
    pub(crate) attempt: u8,
    pub(crate) cohort: u8,
    pub(crate) criticality: Criticality,
}

/// One batch of spans as one instance's exporter sends it. [`Export::encode_into`] turns it into a record's payload.
#[derive(Clone)]
pub struct Export {
    /// When it arrives in the topic, Unix nanoseconds.
    pub at_ns: u64,
    pub(crate) instance: u32,
    pub(crate) spans: Vec<SpanRecord>,
    pub(crate) plan: Arc<Plan>,
    /// The world's beginning by the instance's own clock, Unix nanoseconds.
    pub(crate) clock_ns: u64,
    /// The deployment whose version the instance runs, as a place in the plan's faults.
    pub(crate) deploy: Option<u32>,
}

impl Export {
    /// The service that sends it.
    pub fn service(&self) -> &str {
        &self.plan.services[self.plan.instances[self.instance as usize].service as usize].name
    }

    /// The instance that sends it.
    pub fn instance(&self) -> &str {
        &self.plan.instances[self.instance as usize].id
    }

    /// The version that it runs.
    pub(crate) fn version(&self) -> &str {
        self.plan.version(self.instance, self.deploy)
    }

    /// Whom its client and producer spans call, by the names under which callees are known.
    pub(crate) fn callees(&self) -> impl Iterator<Item = String> {
        let sent = self.spans.iter().filter(|span| matches!(span.kind, SpanKind::Client | SpanKind::Producer));
        sent.map(|span| {
            let callee = &self.plan.services[self.plan.edges[span.place as usize].callee as usize];
            match callee.protocol {
                Protocol::Database => format!("{}:{}", callee.system, callee.name),
                _ => callee.name.clone(),
            }
        })
    }

    /// How many spans it holds; never none.
    pub fn span_count(&self) -> usize {
        self.spans.len()
    }

    /// The first span's trace id: a key for those who key records by trace.
    pub fn key_trace(&self) -> u128 {
        self.spans.first().map_or(0, |span| span.trace)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Export");
        shown.field("at_ns", &self.at_ns).field("instance", &self.instance());
        shown.field("spans", &self.spans.len()).finish()
    }
}
