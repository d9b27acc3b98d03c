//! A fleet as the risks look at it.

use model::{Interval, NameId, TraceId};
use std::collections::BTreeMap;

/// Services, the calls between them, and what enters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    /// Seconds of telemetry.
    pub seconds: f64,
    /// Requests a second that enter the fleet.
    pub entry_rps: f64,
    /// Services, and peers without spans.
    pub services: BTreeMap<NameId, Service>,
    /// Calls, by the request within which they are made.
    pub calls: BTreeMap<CallKey, Call>,
    /// Texts of names.
    pub names: BTreeMap<NameId, String>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Requests a second.
    pub rps: f64,
    /// Instances that were seen; 0 if they do not say who they are.
    pub instances: usize,
    /// What it can serve, requests per second, where saturation was observed.
    pub capacity_rps: Option<Interval>,
    /// The share of the entering requests that touch it, 0..1.
    pub needed: f64,
    /// Does it emit spans (or is it a database, a broker, somebody else's)?
    pub emits: bool,
}

/// Calls of one operation of a service to another service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallKey {
    /// Who calls.
    pub caller: NameId,
    /// Within which of its operations.
    pub operation: NameId,
    /// Who is called.
    pub callee: NameId,
}

/// What is known of these calls. Counts are of the traces that were looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Requests of the caller's operation that made at least one.
    pub requests: u64,
    /// Calls, not counting repetitions after a failure.
    pub calls: u64,
    /// Attempts, counting them.
    pub attempts: u64,
    /// The most attempts that one call had.
    pub attempts_max: u32,
    /// Calls that failed for good: no attempt succeeded.
    pub failed: u64,
    /// Of these, those whose request succeeded all the same.
    pub forgiven: u64,
    /// Calls during which their request did nothing else.
    pub blocking: u64,
    /// How long the caller waits for one attempt, microseconds; 0 is not known.
    pub timeout_us: u64,
    /// The median of what the caller's operation takes when all is well, microseconds.
    pub request_p50_us: u64,
    /// The operations of the callee that answer, sorted.
    pub answers: Vec<NameId>,
    /// First attempts a second.
    pub first_rps: f64,
    /// Entering requests a second that come by here.
    pub entry_rps: f64,
    /// A few traces, failed ones first.
    pub exemplars: Vec<TraceId>,
}

impl Fleet {
    /// A name's text.
    pub fn name(&self, id: NameId) -> &str {
        match self.names.get(&id) {
            Some(text) => text,
            None if id.is_some() => "?",
            None => "outside",
        }
    }

    /// Calls made by `service` within `operation`.
    pub fn calls_of(&self, service: NameId, operation: NameId) -> impl Iterator<Item = (&CallKey, &Call)> {
        let from = CallKey { caller: service, operation, callee: NameId(0) };
        let all = self.calls.range(from..);
        all.take_while(move |(key, _)| key.caller == service && key.operation == operation)
    }
}

impl Call {
    /// Calls for one request that makes any.
    pub fn per_request(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.calls as f64 / self.requests as f64 }
    }

    /// Is a failure of it forgiven, as far as was seen?
    pub fn is_optional(&self) -> bool {
        const SEEN: u64 = 3;
        self.failed >= SEEN && self.forgiven * 5 >= self.failed * 4
    }

    /// How long the caller can wait in all, microseconds.
    pub fn patience_us(&self) -> u64 {
        self.timeout_us.saturating_mul(u64::from(self.attempts_max.max(1)))
    }
}
