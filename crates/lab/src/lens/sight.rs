//! What the real pipeline makes of the spans behind one lens.

use super::bar::{EdgeName, RATE_ERROR};
use super::{Glass, Lens};
use crate::Export;
use crate::tunnel::{Stopbank, StopbankConfig};
use engine::Effect;
use model::{Command, FindingState, GraphView, GuardReport, Knob, Mode, NameId, Target, Window};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::Encoding;

const MS: u64 = 1_000_000;
/// What comes back within this time after it was released flaps, milliseconds; what comes later may be another overload.
const FLAP_MS: u64 = 15_000;

/// Calls over one edge, as the windows say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Calls, weighted.
    pub calls: f64,
    /// Retries, weighted.
    pub retries: f64,
    /// Calls that failed, weighted.
    pub failed: f64,
    /// Was its sampling marked as biased?
    pub biased: bool,
    /// Messages that nobody was seen to take, as a share, when the fault began.
    pub untaken: f64,
}

/// Who takes what is sent to a destination, by the destination's name: the edge to a destination whose consumers emit no
/// spans is the edge to them.
pub(super) type Receivers = BTreeMap<String, String>;

/// What was seen through a lens.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The lens.
    pub lens: Lens,
    /// Spans that were read.
    pub spans: u64,
    /// Edges, by the names that the fleet itself gives.
    pub edges: BTreeMap<EdgeName, Seen>,
    /// Requests that entered the fleet, weighted, by the service at which they did.
    pub entries: BTreeMap<String, f64>,
    /// Everything that was commanded, by the names that the fleet itself gives.
    pub commands: BTreeSet<(Target, Knob)>,
    /// The same one after the other, as it was addressed: when it began, changed and ended, milliseconds since the fault;
    /// renewals are left out.
    pub said: Vec<(u64, Command)>,
    /// Findings that were opened before anything was wrong.
    pub false_alarms: Vec<String>,
    /// When the first finding was opened after the fault had begun, milliseconds after it.
    pub detected_ms: Option<u64>,
    /// The least coverage of the telemetry while requests came, 0..1.
    pub coverage: f64,
}

impl Sight {
    /// Calls seen, as a multiple of those sent.
    pub fn ratio(&self, edge: &EdgeName, sent: f64) -> f64 {
        self.edges.get(edge).map_or(0.0, |seen| seen.calls) / sent
    }

    /// The standard error that sampling leaves to chance, as a share of the rate.
    pub fn chance(&self, edge: &EdgeName) -> f64 {
        let calls = self.edges.get(edge).map_or(0.0, |seen| seen.calls);
        let weight = self.lens.weight();
        if weight > 1.0 && calls > 0.0 { (weight / calls).sqrt() } else { 0.0 }
    }

    /// Does a command of this knob touch everything that one on `target` would touch?
    pub fn commands(&self, target: &Target, knob: Knob) -> bool {
        let all = Target { operation: None, ..target.clone() };
        self.commands.contains(&(target.clone(), knob)) || self.commands.contains(&(all, knob))
    }

    /// Commands that came again soon after they were released, each time.
    pub fn flapping(&self) -> Vec<String> {
        let mut released: BTreeMap<(&Target, Knob), u64> = BTreeMap::new();
        let mut flapping = Vec::new();
        for (at_ms, command) in self.said.iter().filter(|(_, command)| command.mode == Mode::Act) {
            let key = (&command.target, command.knob);
            match command.setting {
                None => {
                    released.insert(key, *at_ms);
                }
                Some(_) if released.remove(&key).is_some_and(|released_ms| *at_ms < released_ms + FLAP_MS) => {
                    flapping.push(format!("{} {}", command.target, command.knob.as_str()));
                }
                Some(_) => {}
            }
        }
        flapping
    }

    /// Is it said of the edge that its rate is not to be trusted?
    pub fn is_flagged(&self, edge: &EdgeName) -> bool {
        let said = |seen: &Seen| seen.biased || seen.untaken > RATE_ERROR;
        self.edges.get(edge).is_some_and(said) || self.coverage < 0.95
    }

    /// Edges that do not exist, with their share of all calls.
    pub fn false_edges(&self, truth: &BTreeMap<EdgeName, f64>) -> impl Iterator<Item = (EdgeName, f64)> {
        let all: f64 = self.edges.values().map(|seen| seen.calls).sum();
        let unknown = self.edges.iter().filter(|(name, _)| !truth.contains_key(*name));
        unknown.map(move |(name, seen)| (name.clone(), seen.calls / all.max(1.0)))
    }
}

/// A pipeline behind a lens.
pub(super) struct Look {
    glass: Glass,
    pipeline: Stopbank,
    fault_ms: u64,
    names: BTreeMap<NameId, String>,
    receivers: Receivers,
    sight: Sight,
}

impl Look {
    pub(super) fn new(lens: Lens, glass: Glass, receivers: Receivers, fault_ms: u64) -> Look {
        let mut setup = StopbankConfig::default();
        setup.engine.warmup_windows = 20;
        let sight = Sight {
            lens,
            spans: 0,
            edges: BTreeMap::new(),
            entries: BTreeMap::new(),
            commands: BTreeSet::new(),
            said: Vec::new(),
            false_alarms: Vec::new(),
            detected_ms: None,
            coverage: 1.0,
        };
        let pipeline = Stopbank::new(setup);
        Look { glass, pipeline, fault_ms, names: BTreeMap::new(), receivers, sight }
    }

    /// It is `now_ns`, Unix nanoseconds.
    pub(super) fn step(&mut self, now_ns: u64, exports: &[Export], reports: &[GuardReport]) {
        exports.iter().for_each(|export| self.glass.take(export));
        let mut effects = self.pipeline.tick(now_ns / MS);
        for report in reports {
            effects.extend(self.pipeline.report(&self.glass.report(report)));
        }
        while let Some(batch) = self.glass.due(now_ns) {
            self.sight.spans += batch.span_count() as u64;
            self.pipeline.record(batch.at_ns / MS, |bytes| batch.encode_into(Encoding::OtlpProto, bytes));
        }
        let Look { pipeline, names, receivers, sight, .. } = self;
        effects.extend(pipeline.close(|window| note(window, names, receivers, sight)));
        for effect in &effects {
            self.hear(now_ns / MS, effect);
        }
        if now_ns.is_multiple_of(1000 * MS) && now_ns / MS < self.fault_ms {
            let view = self.pipeline.engine().view();
            if !view.services.is_empty() {
                self.sight.coverage = self.sight.coverage.min(view.coverage);
                if now_ns / MS + 1000 == self.fault_ms {
                    self.note_untaken(&view);
                }
            }
        }
    }

    /// Writes down what the graph says of messages that nobody takes.
    fn note_untaken(&mut self, view: &GraphView) {
        let Look { receivers, sight, .. } = self;
        for edge in &view.edges {
            let (caller, callee) =
                (known_as(&edge.caller, receivers, sight.lens), known_as(&edge.callee, receivers, sight.lens));
            if let Some(seen) = sight.edges.get_mut(&(caller, callee)) {
                seen.untaken = seen.untaken.max(edge.untaken_share);
            }
        }
    }

    fn hear(&mut self, now_ms: u64, effect: &Effect) {
        match effect {
            Effect::Finding(finding) if finding.state == FindingState::Opened => {
                // not by the window's end: guards' reports may tell of the fault before the spans of that time are there
                if now_ms < self.fault_ms {
                    self.sight.false_alarms.push(finding.summary.clone());
                } else if self.sight.detected_ms.is_none() {
                    self.sight.detected_ms = Some(now_ms - self.fault_ms);
                }
            }
            Effect::Command(command) => self.note_command(now_ms, command),
            Effect::Finding(_) | Effect::Audit(_) => {}
        }
    }

    /// Writes a command down, unless it only renews what was said.
    fn note_command(&mut self, now_ms: u64, command: &Command) {
        let real = |name: &String| self.sight.lens.real_name(name).to_owned();
        let mut target = command.target.clone();
        (target.service, target.caller) = (real(&target.service), target.caller.as_ref().map(real));
        self.sight.commands.insert((target, command.knob));
        let about = |said: &Command| said.target == command.target && said.knob == command.knob;
        let before = self.sight.said.iter().rev().find(|(_, said)| about(said));
        if before.is_none_or(|(_, said)| (said.setting, said.mode) != (command.setting, command.mode)) {
            self.sight.said.push((now_ms.saturating_sub(self.fault_ms), command.clone()));
        }
    }

    /// Everything has arrived.
    pub(super) fn end(mut self) -> Sight {
        let Look { pipeline, names, receivers, sight, .. } = &mut self;
        pipeline.drain(|window| note(window, names, receivers, sight));
        self.sight
    }
}

/// The name that the fleet itself gives to what telemetry calls `name`.
fn known_as(name: &str, receivers: &Receivers, lens: Lens) -> String {
    receivers.get(name).map_or_else(|| lens.real_name(name), String::as_str).to_owned()
}

fn note(window: &Window, names: &mut BTreeMap<NameId, String>, receivers: &Receivers, sight: &mut Sight) {
    names.extend(window.names.iter().map(|named| (named.id, named.text.clone())));
    let lens = sight.lens;
    let name = |id: NameId| known_as(names.get(&id).map_or("", String::as_str), receivers, lens);
    for row in &window.edges {
        let seen = sight.edges.entry((name(row.key.caller), name(row.key.callee))).or_default();
        seen.calls += row.calls.calls();
        seen.retries += row.retries.calls();
        seen.failed += row.failed().calls();
        seen.biased |= row.biased;
    }
    for row in window.services.iter().filter(|row| !row.entries.is_zero()) {
        *sight.entries.entry(name(row.key.service)).or_default() += row.entries.calls();
    }
}
