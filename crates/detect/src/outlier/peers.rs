//! How the instances and versions of services fare, each against the rest of its service in the same seconds.
//!
//! Counts of one second are compared with counts of that second only (Mantel and Haenszel 1959: a test of proportions in
//! strata), because load, a slow dependency and what a deployment replaces change from one second to the next: whoever was
//! asked in other seconds is no peer. What a span stands for says nothing of how sure it is, so spans are counted, not the
//! calls behind them.

use model::{NameId, ServiceRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was counted has half its weight after this time.
const HALF_LIFE_MS: f64 = 3_000.0;
/// What weighs less than this many requests is forgotten.
const FORGOTTEN: f64 = 0.05;
/// Parts remembered at most; new ones beyond are left out.
const PARTS_MAX: usize = 40_000;

/// A part of a service. An instance that comes back with another version is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartId {
    pub(super) version: NameId,
    /// None for the version as a whole.
    pub(super) instance: NameId,
}

/// How the parts of services have fared lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Peers {
    parts: BTreeMap<(NameId, PartId), Fared>,
    end_ms: u64,
}

/// Decayed sums over seconds; all but the first only over those in which its peers were asked too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fared {
    /// Requests.
    pub(super) traffic: f64,
    /// Requests.
    pub(super) calls: f64,
    /// Requests that it failed.
    pub(super) failed: f64,
    /// Requests that it answered, and whose answers did not arrive.
    pub(super) lost: f64,
    /// So many would have gone wrong if it had fared as its peers did.
    as_peers: f64,
    /// So many more went wrong than its share of all that went wrong.
    excess: f64,
    /// The variance of that, if chance alone distributed them.
    variance: f64,
    /// Seconds that were compared.
    pub(super) compared: u32,
    /// The end of the last of them, Unix milliseconds.
    pub(super) compared_ms: u64,
}

/// What one part did in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    calls: f64,
    failed: f64,
    lost: f64,
}

impl Second {
    fn of(row: &ServiceRow) -> Second {
        let (calls, seen) = (row.calls.calls(), row.seen());
        let each = if calls > 0.0 { seen / calls } else { 0.0 };
        Second { calls: seen, failed: row.failed().calls() * each, lost: row.lost.calls() * each }
    }

    fn add(&mut self, other: Second) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.lost += other.lost;
    }

    fn bad(&self) -> f64 {
        (self.failed + self.lost).min(self.calls)
    }
}

impl Fared {
    /// The share that goes wrong, 0..1.
    pub(super) fn share(&self) -> f64 {
        if self.calls > 0.0 { ((self.failed + self.lost) / self.calls).min(1.0) } else { 0.0 }
    }

    /// The share that went wrong at its peers in the same seconds, 0..1.
    pub(super) fn share_of_peers(&self) -> f64 {
        if self.calls > 0.0 { (self.as_peers / self.calls).min(1.0) } else { 0.0 }
    }

    /// Standard errors between the two.
    pub(super) fn standard_errors(&self) -> f64 {
        if self.variance > 0.0 { self.excess / libm::sqrt(self.variance) } else { 0.0 }
    }

    fn fade(&mut self, factor: f64) {
        for sum in [
            &mut self.traffic,
            &mut self.calls,
            &mut self.failed,
            &mut self.lost,
            &mut self.as_peers,
            &mut self.excess,
            &mut self.variance,
        ] {
            *sum *= factor;
        }
    }

    fn add(&mut self, own: Second, whole: Second, end_ms: u64) {
        self.traffic += own.calls;
        let peers = Second { calls: whole.calls - own.calls, ..Second::default() };
        if own.calls <= 0.0 || peers.calls <= 0.0 {
            return;
        }
        let (bad, all_bad) = (own.bad(), whole.bad());
        self.calls += own.calls;
        self.failed += own.failed;
        self.lost += own.lost;
        self.as_peers += own.calls * (all_bad - bad).max(0.0) / peers.calls;
        self.excess += bad - own.calls * all_bad / whole.calls;
        let of_all = all_bad / whole.calls;
        self.variance += own.calls * peers.calls / whole.calls.max(2.0) * of_all * (1.0 - of_all);
        self.compared = self.compared.saturating_add(1);
        self.compared_ms = end_ms;
    }
}

impl Peers {
    /// Takes in a second's rows.
    pub(super) fn remember(&mut self, rows: &[ServiceRow], end_ms: u64) {
        let passed_ms = end_ms.saturating_sub(self.end_ms) as f64;
        let factor = libm::exp2(-passed_ms / HALF_LIFE_MS);
        self.end_ms = end_ms;
        self.parts.retain(|_, fared| {
            fared.fade(factor);
            fared.traffic >= FORGOTTEN
        });
        let of_service = |a: &ServiceRow, b: &ServiceRow| a.key.service == b.key.service;
        for rows in rows.chunk_by(of_service) {
            let mut whole = Second::default();
            let mut parts: BTreeMap<PartId, Second> = BTreeMap::new();
            for row in rows.iter().filter(|row| row.key.instance.is_some()) {
                let second = Second::of(row);
                whole.add(second);
                for instance in [NameId::NONE, row.key.instance] {
                    parts.entry(PartId { version: row.key.version, instance }).or_default().add(second);
                }
            }
            for (id, own) in parts {
                let key = (rows[0].key.service, id);
                if self.parts.len() < PARTS_MAX || self.parts.contains_key(&key) {
                    self.parts.entry(key).or_default().add(own, whole, end_ms);
                }
            }
        }
    }

    /// All parts, service by service.
    pub(super) fn by_service(&self) -> impl Iterator<Item = (NameId, Vec<(PartId, &Fared)>)> {
        let mut parts = self.parts.iter().peekable();
        std::iter::from_fn(move || {
            let service = parts.peek()?.0.0;
            let mut own = Vec::new();
            while let Some(((_, id), fared)) = parts.next_if(|(key, _)| key.0 == service) {
                own.push((*id, fared));
            }
            Some((service, own))
        })
    }
}
