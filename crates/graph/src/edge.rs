//! A service→service edge as the graph knows it.

use crate::bounded::Weighted;
use crate::service::share;
use crate::{Latency, Operation, Operations};
use model::{Count, EdgeKind, EdgeRow, Failure, LEVELS, TraceId};
use serde::{Deserialize, Serialize};

/// What went over an edge, decayed and in total, all operations together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// How it was seen.
    pub kind: EdgeKind,
    sums: EdgeRates,
    seconds: f64,
    /// What callers waited.
    pub client: Latency,
    /// Client minus server duration.
    pub gap: Latency,
    /// The last visible client timeout, ms; zero if none was ever visible.
    pub timeout_ms: f64,
    /// The last exemplar traces.
    pub exemplars: Vec<TraceId>,
    /// The end of the last window in which its sampling was biased; zero for never.
    pub biased_ns: u64,
    /// The callee's clocks are ahead of the callers' by at least so much, ms; fades where it is not seen any more.
    pub ahead_ms: f64,
    /// The callee's clocks are behind the callers' by at least so much, ms; fades likewise.
    pub behind_ms: f64,
    /// Which operations call which.
    pub operations: Operations,
    /// Calls since the edge was first seen.
    pub calls_total: Count,
    /// Failed calls since then.
    pub failed_total: Count,
    /// The end of the window it was first seen in, Unix ns.
    pub first_ns: u64,
    /// The end of the last window with a fact of it, Unix ns.
    pub last_ns: u64,
}

/// Rates of an edge, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeRates {
    /// Calls, retries included.
    pub calls_rps: f64,
    /// First attempts.
    pub first_attempts_rps: f64,
    /// Retries.
    pub retries_rps: f64,
    /// Calls that failed in a way that says something about the callee.
    pub failed_rps: f64,
    /// Calls that timed out.
    pub timeouts_rps: f64,
    /// Calls that the callee refused on purpose.
    pub shed_rps: f64,
    /// Server spans that outlasted their client's.
    pub wasted_rps: f64,
    /// Client spans without a server half.
    pub unpaired_rps: f64,
    /// Mean number in flight (Little's law).
    pub in_flight: f64,
    /// Calls by criticality, lowest first.
    pub criticality_rps: [f64; LEVELS],
}

impl EdgeRates {
    /// Calls per first attempt, at least one.
    pub fn amplification(&self) -> f64 {
        if self.first_attempts_rps > 0.0 { (self.calls_rps / self.first_attempts_rps).max(1.0) } else { 1.0 }
    }

    /// Failed calls as a share, 0..1.
    pub fn error_share(&self) -> f64 {
        share(self.failed_rps, self.calls_rps)
    }

    fn scaled(&self, factor: f64) -> EdgeRates {
        EdgeRates {
            calls_rps: self.calls_rps * factor,
            first_attempts_rps: self.first_attempts_rps * factor,
            retries_rps: self.retries_rps * factor,
            failed_rps: self.failed_rps * factor,
            timeouts_rps: self.timeouts_rps * factor,
            shed_rps: self.shed_rps * factor,
            wasted_rps: self.wasted_rps * factor,
            unpaired_rps: self.unpaired_rps * factor,
            in_flight: self.in_flight * factor,
            criticality_rps: self.criticality_rps.map(|rate| rate * factor),
        }
    }
}

/// What is left of a skew after a window in which none was seen.
const SKEW_FADES: f64 = 0.98;

impl Edge {
    /// Its rates over the last half-lives.
    pub fn rates(&self) -> EdgeRates {
        if self.seconds > 0.0 { self.sums.scaled(1.0 / self.seconds) } else { EdgeRates::default() }
    }

    /// Messages that were sent and that nobody was seen to take, as a share of those sent lately, 0..1: they wait, or their
    /// consumer's spans are missing. A message counts as a call when it is taken.
    pub fn untaken_share(&self) -> f64 {
        let sent = if self.kind == EdgeKind::Messaging { self.client.weight() } else { 0.0 };
        if sent > 0.0 { (1.0 - self.sums.calls_rps / sent).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The calls per second of one of its operation pairs.
    pub fn operation_rps(&self, operation: &Operation) -> f64 {
        if self.seconds > 0.0 { operation.weight / self.seconds } else { 0.0 }
    }

    pub(crate) fn decay(&mut self, factor: f64, seconds: f64) {
        self.sums = self.sums.scaled(factor);
        self.seconds = self.seconds * factor + seconds;
        self.client.decay(factor);
        self.gap.decay(factor);
        self.operations.decay(factor);
    }

    pub(crate) fn add(&mut self, row: &EdgeRow, end_ns: u64, seconds: f64) {
        if self.first_ns == 0 {
            self.first_ns = end_ns;
            self.seconds = seconds;
            self.kind = row.key.kind;
        }
        self.last_ns = end_ns;
        self.kind = self.kind.min(row.key.kind);
        self.sums.calls_rps += row.calls.calls();
        self.sums.first_attempts_rps += row.first_attempts.calls();
        self.sums.retries_rps += row.retries.calls();
        self.sums.failed_rps += row.failed().calls();
        self.sums.timeouts_rps += row.failed_by(Failure::Timeout).calls();
        self.sums.shed_rps += row.failed_by(Failure::Shed).calls();
        self.sums.wasted_rps += row.wasted.calls();
        self.sums.unpaired_rps += row.unpaired.calls();
        self.sums.in_flight += row.busy_us as f64 / 1e6;
        for (sum, count) in self.sums.criticality_rps.iter_mut().zip(&row.criticality) {
            *sum += count.calls();
        }
        self.client.add(&row.client);
        self.gap.add(&row.gap);
        if row.timeout_us > 0 {
            self.timeout_ms = row.timeout_us as f64 / 1000.0;
        }
        if !row.exemplars.is_empty() {
            self.exemplars.clone_from(&row.exemplars);
        }
        if row.biased {
            self.biased_ns = end_ns;
        }
        self.ahead_ms = (SKEW_FADES * self.ahead_ms).max(row.ahead_us as f64 / 1000.0);
        self.behind_ms = (SKEW_FADES * self.behind_ms).max(row.behind_us as f64 / 1000.0);
        self.calls_total += row.calls;
        self.failed_total += row.failed();
    }
}

impl Weighted for Edge {
    fn weight(&self) -> f64 {
        self.sums.calls_rps
    }

    fn warm(&self) -> u32 {
        self.client.warm() ^ self.gap.warm() ^ self.operations.warm()
    }
}
