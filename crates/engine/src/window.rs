//! A window: graph, learn, detect, decide, in this order.

use crate::apply::effects;
use crate::{Effect, Engine};
use decide::Inverted;
use detect::Scene;
use learn::Subject;
use model::{AuditEntry, AuditKind, Finding, FindingState, NameId, Rollup, Signature, Window};
use std::collections::BTreeSet;

/// Every so many windows the learner forgets what the graph has forgotten.
const FORGET_EVERY: u64 = 60;

impl Engine {
    pub(crate) fn on_window(&mut self, window: &Window) -> Vec<Effect> {
        if window.end_ns <= self.end_ns {
            self.counters.windows_ignored += 1;
            return Vec::new();
        }
        self.end_ns = window.end_ns;
        let corrected = (!self.witness.is_silent()).then(|| self.witness.correct(window));
        let window = corrected.as_ref().unwrap_or(window);
        let rollup = Rollup::of(window);
        self.know(window, &rollup);
        if self.is_stale(window) {
            return self.on_stale();
        }
        let scene = Scene {
            domain: &self.config.domain,
            window,
            rollup: &rollup,
            graph: &self.graph,
            learner: &self.learner,
            now_ms: self.now_ms,
        };
        let told = self.detector.step(&scene);
        let mut out = Vec::new();
        for finding in told {
            out.extend(self.finding_audit(&finding));
            out.push(Effect::Finding(finding));
        }
        out.extend(self.decide());
        out
    }

    /// Updates what is known.
    fn know(&mut self, window: &Window, rollup: &Rollup) {
        self.counters.windows += 1;
        self.counters.spans += window.spans;
        self.counters.late += window.late;
        self.counters.folded += window.folded;
        self.counters.calls += rollup.edges.values().map(|row| row.calls.0 / 1024).sum::<u64>();
        self.graph.apply(window, rollup);
        self.succession.observe(window, &self.graph, &mut self.learner);
        let mut unhealthy = self.detector.unhealthy();
        unhealthy.extend(self.ledger.acted_on().into_iter().map(NameId::of));
        self.learner.observe(rollup, &unhealthy);
        if self.counters.windows.is_multiple_of(FORGET_EVERY) {
            let graph = &self.graph;
            self.succession.retain(graph);
            self.learner.retain(|subject| match subject {
                Subject::Service(id) => graph.service(id).is_some(),
                Subject::Edge(id) => graph.edge(id).is_some(),
            });
        }
        self.entries.observe(window, rollup);
        if self.config.history_windows > 0 {
            self.history.push_back(window.clone());
            if self.history.len() > self.config.history_windows as usize {
                self.history.pop_front();
            }
        }
    }

    fn is_stale(&self, window: &Window) -> bool {
        window.end_ns / 1_000_000 + self.config.stale_after_ms < self.now_ms
    }

    /// A stale window causes nothing; the first one in a row is told.
    fn on_stale(&mut self) -> Vec<Effect> {
        let first = self.entries.stale_in_a_row == 0;
        self.entries.stale_in_a_row += 1;
        self.counters.windows_stale += 1;
        if !first {
            return Vec::new();
        }
        let behind_ms = self.now_ms.saturating_sub(self.end_ns / 1_000_000);
        let text = format!("telemetry is {behind_ms} ms behind: it is learned from and not acted on");
        vec![self.audit(AuditKind::Telemetry, "telemetry", text)]
    }

    fn decide(&mut self) -> Vec<Effect> {
        self.entries.stale_in_a_row = 0;
        let open = self.detector.open();
        if open.is_empty() && self.ledger.is_idle() {
            self.usage.learn(&self.graph);
            return Vec::new();
        }
        let findings: Vec<Finding> = open.into_iter().cloned().collect();
        let subjects = findings.iter().map(decide::overloaded);
        let concerned: BTreeSet<NameId> = subjects.chain(self.ledger.concerned()).map(NameId::of).collect();
        let mut picture = decide::look(&self.graph, &self.learner, &self.usage, &concerned);
        picture.admission = self.ledger.admission();
        picture.whole_entries = self.ledger.whole_entries();
        for finding in findings.iter().filter(|finding| finding.signature == Signature::Inversion) {
            let about = decide::overloaded(finding);
            if let Some(facts) = picture.services.get_mut(about) {
                let inverted = detect::inverted(&self.graph, &self.learner, NameId::of(about));
                facts.inverted = inverted.map(|detect::Inverted { class, rps, .. }| Inverted { class, rps });
            }
        }
        let plan = decide::plan(&findings, &picture, self.ledger.guards());
        let policy = self.config.policy();
        effects(self.ledger.consider(&findings, plan, &picture, &policy))
    }

    fn finding_audit(&self, finding: &Finding) -> Option<Effect> {
        let what = match finding.state {
            FindingState::Opened => "opened",
            FindingState::Closed => "closed",
            FindingState::Changed => return None,
        };
        Some(Effect::Audit(AuditEntry {
            at_ms: self.now_ms,
            kind: AuditKind::Finding,
            subject: finding.subject.clone(),
            finding: Some(finding.id.clone()),
            text: format!("{what} with confidence {:.2}: {}", finding.confidence, finding.summary),
            ..AuditEntry::default()
        }))
    }
}
