//! What a producer counted itself (its metrics): a second witness beside the spans.

use crate::NameId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Producer {
    /// An SDK, by the HTTP semantic conventions.
    #[default]
    Http = 0,
    /// An SDK, by the RPC semantic conventions.
    Rpc = 1,
    /// The Collector's `spanmetrics` connector, or Tempo's generator.
    SpanMetrics = 2,
    /// The Collector's `servicegraph` connector, or Tempo's generator.
    ServiceGraph = 3,
    /// An Envoy proxy, per upstream cluster.
    Envoy = 4,
    /// Istio's proxies.
    Istio = 5,
    /// Linkerd's proxies.
    Linkerd = 6,
    /// A host, a container or a process: how much of it is in use.
    Host = 7,
}

impl Producer {
    /// Its name as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Producer::Http => "http",
            Producer::Rpc => "rpc",
            Producer::SpanMetrics => "spanmetrics",
            Producer::ServiceGraph => "servicegraph",
            Producer::Envoy => "envoy",
            Producer::Istio => "istio",
            Producer::Linkerd => "linkerd",
            Producer::Host => "host",
        }
    }
}

/// Where the calls were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Side {
    /// By the service that was called.
    #[default]
    Server = 0,
    /// By the service that called.
    Client = 1,
    /// Per pair of services.
    Edge = 2,
}

/// What one producer counted of one thing in one interval: whole calls, as they were, never extrapolated.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WitnessRow {
    /// The service that counted; of an edge the caller.
    pub service: NameId,
    /// The other one, where it is known by name.
    pub peer: NameId,
    /// The operation, or of utilisation the resource.
    pub operation: NameId,
    /// Who counted.
    pub producer: Producer,
    /// Where.
    pub side: Side,
    /// From when, Unix nanoseconds (exclusive).
    pub start_ns: u64,
    /// Until when, Unix nanoseconds (inclusive).
    pub end_ns: u64,
    /// Calls that ended in the interval.
    pub calls: u64,
    /// Of these, those that failed as the producer sees it.
    pub failed: u64,
    /// Summed duration of the calls, µs; zero where it was not said.
    pub duration_us: u64,
    /// How much of a resource was in use at the interval's end, in 1/1000.
    pub used_permille: Option<u16>,
}

impl WitnessRow {
    /// Processors: an `operation` of rows of utilisation, [`NameId::of`] `cpu`.
    pub const CPU: NameId = NameId(0xb389_2ede_7d54_8f64);
    /// Memory: another one, [`NameId::of`] `memory`.
    pub const MEMORY: NameId = NameId(0x2e4a_be18_8e05_d506);

    /// What can be compared with spans, without durations, each (who, whom, by whom, interval) once; of what SDKs counted also
    /// each operation, because there are some that are not traced, health checks above all; and of
    /// each resource in use the mean of those that were measured at once (the processors of a host).
    pub fn gathered(rows: &[WitnessRow]) -> Vec<WitnessRow> {
        let mut used: BTreeMap<(NameId, NameId, u64), (u64, u64)> = BTreeMap::new();
        for row in rows {
            if let Some(permille) = row.used_permille {
                let sum = used.entry((row.service, row.operation, row.end_ns)).or_default();
                *sum = (sum.0 + u64::from(permille), sum.1 + 1);
            }
        }
        let used = used.into_iter().map(|((service, operation, end_ns), (sum, points))| WitnessRow {
            service,
            operation,
            producer: Producer::Host,
            end_ns,
            used_permille: u16::try_from(sum / points).ok(),
            ..WitnessRow::default()
        });
        let mut sums: BTreeMap<WitnessRow, (u64, u64)> = BTreeMap::new();
        let compared = |row: &&WitnessRow| row.side != Side::Client || row.peer != NameId::NONE;
        for row in rows.iter().filter(|row| row.used_permille.is_none()).filter(compared) {
            let peer = if row.side == Side::Server { NameId::NONE } else { row.peer };
            let sdk = matches!(row.producer, Producer::Http | Producer::Rpc) && row.side == Side::Server;
            let operation = if sdk { row.operation } else { NameId::NONE };
            let key = WitnessRow { peer, operation, calls: 0, failed: 0, duration_us: 0, ..row.clone() };
            let sum = sums.entry(key).or_default();
            *sum = (sum.0.saturating_add(row.calls), sum.1.saturating_add(row.failed));
        }
        let counted = sums.into_iter().map(|(row, (calls, failed))| WitnessRow { calls, failed, ..row });
        counted.chain(used).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_operations_are_added_up_and_processors_averaged() {
        assert_eq!((WitnessRow::CPU, WitnessRow::MEMORY), (NameId::of("cpu"), NameId::of("memory")));
        let row = |operation: &str, calls| WitnessRow {
            producer: Producer::SpanMetrics,
            service: NameId::of("cart"),
            operation: NameId::of(operation),
            end_ns: 10,
            calls,
            failed: 1,
            ..WitnessRow::default()
        };
        let used = |permille| WitnessRow {
            service: NameId::of("cart"),
            operation: WitnessRow::CPU,
            producer: Producer::Host,
            end_ns: 10,
            used_permille: Some(permille),
            ..WitnessRow::default()
        };
        let unknown = WitnessRow { side: Side::Client, ..row("GET /", 9) };
        let rows = [row("GET /", 3), used(900), row("PUT /", 4), unknown, used(500)];
        let sum = WitnessRow { operation: NameId::NONE, failed: 2, ..row("", 7) };
        assert_eq!(WitnessRow::gathered(&rows), [sum, used(700)]);
        let sdk = |operation, calls| WitnessRow { producer: Producer::Http, failed: 2, ..row(operation, calls) };
        let rows = [row("GET /", 3), row("GET /healthz", 1), row("GET /", 4)];
        let rows = rows.map(|row| WitnessRow { producer: Producer::Http, ..row });
        let mut found = WitnessRow::gathered(&rows);
        found.sort_by_key(|row| row.calls);
        assert_eq!(found, [WitnessRow { failed: 1, ..sdk("GET /healthz", 1) }, sdk("GET /", 7)]);
    }
}
