//! Whose clocks disagree, from paired calls.
//!
//! A server works while its client waits. With θ = server's clock − client's clock, each call says
//! `server end − client end ≤ θ ≤ server start − client start`. Where zero lies outside of what nearly all calls between two
//! hosts allow, their clocks disagree by at least that much (Cristian 1989; NTP's interval). Failed calls say nothing: a
//! server may outlast a client that gave up.

use super::hosts::{Bound, Host, estimate};
use model::{NameId, Outcome, SpanFlags, SpanKind};
use std::collections::BTreeMap;
use trace::Trace;

/// Calls between two hosts before anything is concluded.
const CALLS_MIN: usize = 5;
/// This share of the calls may contradict (spans end early, streams, rounding), in 1/10.
const CONTRADICT_TENTHS: usize = 1;

/// Two hosts whose clocks disagree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Skew {
    pub(crate) caller: NameId,
    pub(crate) callee: NameId,
    pub(crate) calls: usize,
    /// Callee's clock minus caller's: the nearest to zero that the calls allow, nanoseconds.
    pub(crate) least_ns: i64,
    /// The middle of what they allow.
    pub(crate) likely_ns: i64,
}

/// What calls say of the offsets between hosts.
#[derive(Default)]
pub(super) struct Offsets(BTreeMap<(NameId, NameId), Vec<(i64, i64)>>);

impl Offsets {
    pub(super) fn learn(&mut self, trace: &Trace) {
        for (at, client) in trace.spans().iter().enumerate() {
            let asks = client.kind == SpanKind::Client && client.outcome == Outcome::Ok;
            if !asks || client.flags.has(SpanFlags::STREAMING) {
                continue;
            }
            let Some(server) = trace.answer(at).map(|answer| &trace.spans()[answer]) else { continue };
            if server.kind != SpanKind::Server || server.service == client.service {
                continue;
            }
            let minus = |a: u64, b: u64| i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(0);
            let (low, high) = (minus(server.end_ns, client.end_ns), minus(server.start_ns, client.start_ns));
            // A server that took longer than its client waited contradicts itself.
            if low <= high {
                let host = |instance: NameId, service| if instance.is_some() { instance } else { service };
                let pair = (host(client.instance, client.service), host(server.instance, server.service));
                self.0.entry(pair).or_default().push((low, high));
            }
        }
    }

    /// Pairs of hosts whose clocks disagree, the worst first.
    pub(super) fn skews(&self) -> Vec<Skew> {
        let mut skews: Vec<Skew> = self.0.iter().filter_map(|(pair, calls)| skew(*pair, calls)).collect();
        skews.sort_by_key(|skew| (std::cmp::Reverse(skew.least_ns.unsigned_abs()), skew.caller, skew.callee));
        skews
    }

    /// The hosts' clocks, by all that the calls between them say.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let bounds: Vec<Bound> = self.0.iter().filter_map(|(pair, calls)| bound(*pair, calls)).collect();
        estimate(&bounds)
    }
}

/// What nearly all calls between two hosts allow.
fn bound((caller, callee): (NameId, NameId), calls: &[(i64, i64)]) -> Option<Bound> {
    if calls.len() < CALLS_MIN {
        return None;
    }
    let mut lows: Vec<i64> = calls.iter().map(|call| call.0).collect();
    let mut highs: Vec<i64> = calls.iter().map(|call| call.1).collect();
    lows.sort_unstable();
    highs.sort_unstable();
    let spared = calls.len() * CONTRADICT_TENTHS / 10;
    Some(Bound { caller, callee, low_ns: lows[lows.len() - 1 - spared], high_ns: highs[spared] })
}

fn skew(pair: (NameId, NameId), calls: &[(i64, i64)]) -> Option<Skew> {
    let Bound { caller, callee, low_ns: low, high_ns: high } = bound(pair, calls)?;
    let least_ns = if low > 0 && high > 0 {
        low.min(high)
    } else if high < 0 && low < 0 {
        high.max(low)
    } else {
        return None;
    };
    Some(Skew { caller, callee, calls: calls.len(), least_ns, likely_ns: i64::midpoint(low, high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_proved_only_where_zero_is_not_allowed() {
        let pair = (NameId(1), NameId(2));
        let calls = |offset: i64| -> Vec<(i64, i64)> {
            (0..20).map(|call| (offset - 300 - call, offset + 500 + call)).collect()
        };
        assert_eq!(skew(pair, &calls(0)), None);
        assert_eq!(skew(pair, &calls(200)), None, "within the network's delay nothing is proved");
        let ahead = skew(pair, &calls(1_000_000)).unwrap();
        assert!((999_600..=999_700).contains(&ahead.least_ns), "{ahead:?}");
        assert!((ahead.likely_ns - 1_000_100).abs() < 50, "{ahead:?}");
        let behind = skew(pair, &calls(-1_000_000)).unwrap();
        assert!(behind.least_ns < -999_000, "{behind:?}");
        assert_eq!(skew(pair, &calls(1_000_000)[..4]), None, "too few calls");
    }
}
