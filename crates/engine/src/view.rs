//! What people see: the graph with learned thresholds, and the ranking of likely origins.

use crate::Engine;
use detect::origin::{self, Profile};
use learn::{Signal, Subject};
use model::{CountedBy, EdgeId, GraphView, NameId, ServiceState, Threshold, WitnessRow};

/// For so long a judgement tells of the state: as long as it takes to see enough calls of a service with one a minute.
const KNOWN_FOR_NS: u64 = 1_800_000_000_000;

impl Engine {
    /// The live graph with its learned thresholds.
    pub fn view(&self) -> GraphView {
        let mut view = self.graph.view();
        view.goodput_rps = self.entries.goodput_rps;
        view.offered_rps = self.entries.offered_rps;
        view.coverage = decide::coverage(&self.graph);
        let deviating: std::collections::BTreeSet<Subject> =
            self.learner.deviations().into_iter().map(|deviation| deviation.subject).collect();
        for service in &mut view.services {
            let id = NameId::of(&service.name);
            if let Some(known) = self.witness.service(id) {
                (service.rate_rps, service.error_share) = (known.rate_rps, known.error_share);
                service.counted_by = CountedBy::Metrics;
                service.witness = known.text();
            }
            service.cpu_used = self.witness.used(id, WitnessRow::CPU);
            service.memory_used = self.witness.used(id, WitnessRow::MEMORY);
            service.capacity_rps = self.learner.capacity(id);
            service.queue_delay_ms = self.learner.queue_delay(id).map(|delay| delay.delay_ms);
            service.deviating = deviating.contains(&Subject::Service(id));
            service.state = match (service.deviating, self.is_known(id)) {
                (true, _) => ServiceState::Deviating,
                (false, true) => ServiceState::Healthy,
                (false, false) => ServiceState::Unknown,
            };
        }
        for edge in &mut view.edges {
            let (caller, callee) = (NameId::of(&edge.caller), NameId::of(&edge.callee));
            edge.witness = self.witness.edge(caller, callee).and_then(|known| known.text());
            let subject = Subject::Edge(EdgeId { caller, callee });
            edge.errors = self.threshold(subject, Signal::ErrorShare, edge.errors);
            edge.p99_ms = self.threshold(subject, Signal::LatencyP99, edge.p99_ms);
            if let Some(known) = self.witness.counted_edge(caller, callee) {
                (edge.rate_rps, edge.errors.value) = (known.rate_rps, known.error_share);
                edge.counted_by = CountedBy::Metrics;
            }
        }
        view
    }

    /// Was the service, or what its callers see of it, compared with what is normal a short while ago? Windows of a quiet
    /// service widen until they hold enough calls.
    fn is_known(&self, id: NameId) -> bool {
        let edges = self.graph.edges_to(id).map(Subject::Edge);
        let judged_ns = edges.chain([Subject::Service(id)]).filter_map(|subject| self.learner.judged_ns(subject)).max();
        judged_ns.is_some_and(|at_ns| at_ns.saturating_add(KNOWN_FOR_NS) >= self.end_ns)
    }

    /// Likely origins of what began at `onset_ms` (Unix milliseconds), the likeliest first, with scores. Compares the
    /// windows before it with those after it: needs [`crate::EngineConfig::history_windows`]; without a history the origins of open
    /// findings are given with their confidence.
    pub fn rank(&self, onset_ms: u64) -> Vec<(String, f64)> {
        if self.history.is_empty() {
            return self.origins_of_findings();
        }
        let (mut before, mut after) = (Profile::default(), Profile::default());
        for window in &self.history {
            let profile = if window.end_ns / 1_000_000 <= onset_ms { &mut before } else { &mut after };
            profile.add(window);
        }
        let ranked = origin::rank(&before, &after, &self.graph);
        ranked.into_iter().map(|ranked| (self.graph.name(ranked.service), ranked.score)).collect()
    }

    fn origins_of_findings(&self) -> Vec<(String, f64)> {
        let mut origins: std::collections::BTreeMap<String, f64> = std::collections::BTreeMap::new();
        for finding in self.detector.open() {
            if let Some(origin) = &finding.origin {
                let score = origins.entry(origin.clone()).or_default();
                *score = score.max(finding.confidence);
            }
        }
        let mut ranked: Vec<(String, f64)> = origins.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    }

    /// The learned threshold beside the graph's own, smoother value.
    fn threshold(&self, subject: Subject, signal: Signal, shown: Threshold) -> Threshold {
        let learned = self.learner.threshold(subject, signal);
        learned.map_or(shown, |learned| Threshold { value: shown.value, ..learned })
    }
}
