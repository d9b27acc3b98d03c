//! The one entrance: a match with a call per input.

use crate::{Effect, Engine, EngineConfig, Input, Partition};
use decide::Outcome;
use model::{AuditEntry, AuditKind, FindingState, GuardReport, Mode, Order};

impl Engine {
    /// Takes one input and says what is to be done.
    pub fn apply(&mut self, input: &Input) -> Vec<Effect> {
        let effects = match input {
            Input::Window(window) => self.on_window(window),
            Input::Tick { now_ms } => self.on_tick(*now_ms),
            Input::Report(report) => self.on_report(report),
            Input::Order(order) => self.on_order(order),
            Input::Config(config) => self.on_config(config),
            Input::Idle { partition } => self.on_partition(*partition, "is idle: it holds nothing back"),
            Input::Awake { partition } => self.on_partition(*partition, "speaks again"),
            Input::Assigned { partitions } => self.on_assigned(partitions),
            Input::Sampling { kept_permille } => self.on_sampling(*kept_permille),
            Input::GraceChanged { partition, grace_ms } => {
                self.on_partition(*partition, &format!("now has a grace of {grace_ms} ms"))
            }
            Input::Measured(rows) => {
                self.witness.hear(rows, self.end_ns);
                Vec::new()
            }
        };
        self.count(&effects);
        effects
    }

    fn on_tick(&mut self, now_ms: u64) -> Vec<Effect> {
        self.now_ms = self.now_ms.max(now_ms);
        let policy = self.config.policy();
        effects(self.ledger.tick(self.now_ms, &policy))
    }

    fn on_report(&mut self, report: &GuardReport) -> Vec<Effect> {
        self.counters.reports += 1;
        self.learner.report(report);
        self.ledger.hear(report);
        Vec::new()
    }

    fn on_order(&mut self, order: &Order) -> Vec<Effect> {
        self.counters.orders += 1;
        let policy = self.config.policy();
        effects(self.ledger.order(order, &policy))
    }

    /// A new configuration holds from the next decision on. The domain and the caps of graph and baselines stay as they
    /// were at the start: they shape what was learned.
    fn on_config(&mut self, config: &EngineConfig) -> Vec<Effect> {
        let (domain, edges_max) = (self.config.domain.clone(), self.config.edges_max);
        let text = format!("configuration replaced: mode {:?}, was {:?}", config.mode, self.config.mode).to_lowercase();
        self.config = EngineConfig { domain, edges_max, ..config.clone() };
        let policy = self.config.policy();
        let mut told = vec![self.audit(AuditKind::Config, "configuration", text)];
        told.extend(effects(self.ledger.tick(self.now_ms, &policy)));
        told
    }

    fn on_partition(&mut self, partition: Partition, text: &str) -> Vec<Effect> {
        let Partition { topic, partition } = partition;
        vec![self.audit(AuditKind::Telemetry, &format!("{topic}/{partition}"), format!("the partition {text}"))]
    }

    fn on_assigned(&mut self, partitions: &[Partition]) -> Vec<Effect> {
        vec![self.audit(AuditKind::Telemetry, "assignment", format!("{} partitions are read", partitions.len()))]
    }

    fn on_sampling(&mut self, kept_permille: u16) -> Vec<Effect> {
        self.graph.reads(kept_permille);
        let share = f64::from(kept_permille) / 10.0;
        vec![self.audit(AuditKind::Telemetry, "sampling", format!("{share:.1} % of traces are kept under overload"))]
    }

    pub(crate) fn audit(&self, kind: AuditKind, subject: &str, text: String) -> Effect {
        let at_ms = self.now_ms;
        Effect::Audit(AuditEntry { at_ms, kind, subject: subject.to_owned(), text, ..AuditEntry::default() })
    }

    fn count(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Command(command) if command.mode == Mode::Act => self.counters.commands += 1,
                Effect::Command(_) => self.counters.proposals += 1,
                Effect::Finding(finding) if finding.state == FindingState::Opened => self.counters.findings += 1,
                Effect::Audit(entry) if entry.kind == AuditKind::Gated => self.counters.gated += 1,
                Effect::Finding(_) | Effect::Audit(_) => {}
            }
        }
    }
}

pub(crate) fn effects(outcomes: Vec<Outcome>) -> Vec<Effect> {
    let effect = |outcome| match outcome {
        Outcome::Command(command) => Effect::Command(command),
        Outcome::Audit(entry) => Effect::Audit(entry),
    };
    outcomes.into_iter().map(effect).collect()
}
