//! Head sampling: consistent by the trace's random bits, and told by `tracestate`
//! (opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling).

use super::{Batch, Bend};

/// 2^56: thresholds and randomness have 56 bits.
const CERTAIN: u64 = 1 << 56;

pub(super) struct Head {
    /// Traces whose low 56 bits are below it are dropped.
    reject_below: u64,
    trace_state: String,
}

impl Head {
    /// Keeps this share of the traces.
    pub(super) fn of_share(share: f64) -> Head {
        let reject_below = ((1.0 - share) * CERTAIN as f64) as u64;
        let hex = format!("{reject_below:014x}");
        Head { reject_below, trace_state: format!("ot=th:{}", hex.trim_end_matches('0')) }
    }
}

impl Bend for Head {
    fn bend(&mut self, mut batch: Batch, out: &mut Vec<Batch>) {
        batch.spans.retain(|span| span.trace as u64 & (CERTAIN - 1) >= self.reject_below);
        batch.spans.iter_mut().for_each(|span| span.trace_state.clone_from(&self.trace_state));
        out.push(batch);
    }
}
