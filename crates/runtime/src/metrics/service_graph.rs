//! Calls, failures and durations per edge since the start, under the names that Grafana's service graph reads.

use crate::capacity::SERIES_MAX;
use model::{Count, EdgeKind, EdgeRow, NameId, SparseHistogram, Window};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Upper bounds of the buckets, seconds (those of the Collector's service graph connector).
const BOUNDS_S: [f64; 15] = [0.002, 0.004, 0.006, 0.008, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.4, 2.0, 5.0, 10.0];
/// Names whose text is remembered.
const NAMES_MAX: usize = SERIES_MAX * 4;
/// All edges past the bound are counted here.
const OTHER: &str = "other";

type Key = (NameId, NameId, EdgeKind);

#[derive(Clone, Debug, Default)]
struct Durations {
    buckets: [Count; BOUNDS_S.len()],
    sum_us: u128,
    count: Count,
}

#[derive(Clone, Debug, Default)]
struct Series {
    calls: Count,
    failed: Count,
    client: Durations,
    server: Durations,
}

/// What was counted per edge (caller, callee, kind of connection), bounded.
#[derive(Clone, Debug, Default)]
pub struct ServiceGraph {
    names: BTreeMap<NameId, String>,
    series: BTreeMap<Key, Series>,
}

impl ServiceGraph {
    /// Counts a closed window. Gives the calls in it.
    pub fn count(&mut self, window: &Window) -> Count {
        for named in &window.names {
            if self.names.len() < NAMES_MAX || self.names.contains_key(&named.id) {
                self.names.insert(named.id, named.text.clone());
            }
        }
        window.edges.iter().for_each(|row| self.count_row(row));
        window.edges.iter().map(|row| row.calls).sum()
    }

    /// Distinct edges seen.
    pub fn edges(&self) -> usize {
        self.series.len()
    }

    fn count_row(&mut self, row: &EdgeRow) {
        let own = (row.key.caller, row.key.callee, row.key.kind);
        let other = (NameId::of(OTHER), NameId::of(OTHER), EdgeKind::Call);
        let known = self.series.len() < SERIES_MAX || self.series.contains_key(&own);
        let series = self.series.entry(if known { own } else { other }).or_default();
        series.calls += row.calls;
        series.failed += row.failed();
        series.client.add(&row.client);
        series.server.add(&row.server);
    }

    /// Appends the Prometheus text.
    pub(crate) fn text(&self, out: &mut String) {
        self.counts(out, "request_total", "Calls, retries included.", |series| series.calls);
        self.counts(out, "request_failed_total", "Calls that failed.", |series| series.failed);
        self.durations(out, "request_client_seconds", "What callers waited.", |series| &series.client);
        self.durations(out, "request_server_seconds", "What callees took.", |series| &series.server);
    }

    fn counts(&self, out: &mut String, name: &str, help: &str, of: fn(&Series) -> Count) {
        head(out, name, help, "counter");
        for (key, series) in &self.series {
            let _ = writeln!(out, "traces_service_graph_{name}{{{}}} {}", self.labels(key), of(series).calls());
        }
    }

    fn durations(&self, out: &mut String, name: &str, help: &str, of: fn(&Series) -> &Durations) {
        head(out, name, help, "histogram");
        for (key, series) in &self.series {
            let (labels, durations) = (self.labels(key), of(series));
            let full = format!("traces_service_graph_{name}");
            let mut below = Count::ZERO;
            for (bound, count) in BOUNDS_S.iter().zip(durations.buckets) {
                below += count;
                let _ = writeln!(out, "{full}_bucket{{{labels},le=\"{bound}\"}} {}", below.calls());
            }
            let count = durations.count.calls();
            let _ = writeln!(out, "{full}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(out, "{full}_sum{{{labels}}} {}", durations.sum_us as f64 / 1024.0 / 1e6);
            let _ = writeln!(out, "{full}_count{{{labels}}} {count}");
        }
    }

    fn labels(&self, (caller, callee, kind): &Key) -> String {
        let name = |id: &NameId| match self.names.get(id) {
            Some(text) => escape(text),
            None if !id.is_some() => "user".to_owned(),
            None if *id == NameId::of(OTHER) => OTHER.to_owned(),
            None => format!("{:016x}", id.0),
        };
        let connection = match kind {
            EdgeKind::Call => "",
            EdgeKind::Database => "database",
            EdgeKind::Messaging => "messaging_system",
            EdgeKind::External | EdgeKind::Unresolved => "virtual_node",
        };
        format!("client=\"{}\",server=\"{}\",connection_type=\"{connection}\"", name(caller), name(callee))
    }
}

impl Durations {
    fn add(&mut self, histogram: &SparseHistogram) {
        for (value_us, count) in &histogram.0 {
            let bucket = BOUNDS_S.iter().position(|bound| *value_us as f64 <= bound * 1e6);
            if let Some(bucket) = bucket {
                self.buckets[bucket] += *count;
            }
            self.count += *count;
            self.sum_us += u128::from(*value_us) * u128::from(count.0);
        }
    }
}

/// A label value with backslash, quote and line feed escaped.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP traces_service_graph_{name} {help}\n# TYPE traces_service_graph_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{EdgeKey, Named};

    fn window(caller: &str, callee: &str) -> Window {
        let key = EdgeKey { caller: NameId::of(caller), callee: NameId::of(callee), ..EdgeKey::default() };
        let client = SparseHistogram::from_pairs(vec![(3_000, Count::of(2)), (60_000_000, Count::of(1))]);
        let row = EdgeRow { key, calls: Count::of(3), client, ..EdgeRow::default() };
        Window { names: vec![Named::of(caller), Named::of(callee)], edges: vec![row], ..Window::default() }
    }

    #[test]
    fn buckets_are_cumulative_and_names_escaped() {
        let mut graph = ServiceGraph::default();
        assert_eq!(graph.count(&window("a\"b", "c")), Count::of(3));
        let mut out = String::new();
        graph.text(&mut out);
        let labels = r#"client="a\"b",server="c",connection_type="""#;
        assert!(out.contains(&format!("traces_service_graph_request_total{{{labels}}} 3\n")), "{out}");
        assert!(out.contains(&format!("request_client_seconds_bucket{{{labels},le=\"0.002\"}} 0\n")));
        assert!(out.contains(&format!("request_client_seconds_bucket{{{labels},le=\"10\"}} 2\n")));
        assert!(out.contains(&format!("request_client_seconds_bucket{{{labels},le=\"+Inf\"}} 3\n")));
        assert!(out.contains(&format!("request_client_seconds_sum{{{labels}}} 60.006\n")));
    }

    #[test]
    fn a_flood_of_edges_is_folded() {
        let mut graph = ServiceGraph::default();
        for edge in 0..SERIES_MAX + 100 {
            graph.count(&window("front", &format!("s{edge}")));
        }
        assert_eq!(graph.edges(), SERIES_MAX + 1);
    }
}
