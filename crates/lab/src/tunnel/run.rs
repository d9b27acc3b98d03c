//! What a run came to, second by second and word by word.

use super::TunnelConfig;
use crate::topology::Fault;
use crate::{Second, Topology};
use control::Verdict;
use engine::Effect;
use model::{AuditEntry, Command, Finding, FindingState, GraphView, Mode};

/// A run from beginning to end. All times are milliseconds since the beginning unless they say Unix.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Who steered.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// The Unix time of the beginning, milliseconds.
    pub start_unix_ms: u64,
    /// The fleet's own books.
    pub seconds: Vec<Second>,
    /// Findings as they were told: opened, changed, closed.
    pub findings: Vec<Told<Finding>>,
    /// Commands and proposals as they were sent: begun, changed, renewed, released.
    pub commands: Vec<Sent>,
    /// The policy's trail.
    pub audit: Vec<Told<AuditEntry>>,
    /// The first finding that was opened after the first fault of the topology had begun (in a fleet without faults: the
    /// first).
    pub detection: Option<Detection>,
    /// Findings that were opened before the first fault had begun (in a fleet without faults: all).
    pub false_alarms: usize,
    /// When the first fault began, and when the last ended; `None` in a fleet without faults.
    pub fault_ms: Option<(u64, u64)>,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Told<T> {
    /// When.
    pub at_ms: u64,
    /// What.
    pub what: T,
}

/// A command on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// When it was sent.
    pub at_ms: u64,
    /// The command.
    pub command: Command,
    /// When it reached the guards, and what they thought of it; `None` if it was lost, only proposed, or is still under way.
    pub arrival: Option<(u64, Verdict)>,
}

/// The moment of detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// When.
    pub at_ms: u64,
    /// Since the first fault began.
    pub after_fault_ms: u64,
    /// The fleet as the policy saw it then.
    pub view: Option<GraphView>,
}

impl Run {
    /// The commands that were to be obeyed, releases among them.
    pub fn acts(&self) -> impl Iterator<Item = &Sent> {
        self.commands.iter().filter(|sent| sent.command.mode == Mode::Act)
    }

    /// Mean of good requests per second over these seconds; zero for none.
    pub fn goodput_rps(&self, seconds: std::ops::Range<usize>) -> f64 {
        let end = seconds.end.min(self.seconds.len());
        let seconds = self.seconds.get(seconds.start.min(end)..end).unwrap_or_default();
        if seconds.is_empty() {
            return 0.0;
        }
        seconds.iter().map(|second| second.good as f64).sum::<f64>() / seconds.len() as f64
    }
}

/// A run while it is written.
pub(super) struct Log {
    run: Run,
    start_unix_ns: u64,
}

const MS: u64 = 1_000_000;

impl Log {
    pub(super) fn new(policy: &str, config: &TunnelConfig, topology: &Topology) -> Log {
        let faults = || topology.fault.iter();
        let begins = faults().map(|fault| fault.start_s).reduce(f64::min);
        let ends = faults().map(Fault::last_end_s).reduce(f64::max);
        let ms = |seconds: f64| (seconds * 1000.0) as u64;
        let run = Run {
            policy: policy.to_owned(),
            seed: config.seed,
            start_unix_ms: config.start_unix_ns / MS,
            seconds: Vec::new(),
            findings: Vec::new(),
            commands: Vec::new(),
            audit: Vec::new(),
            detection: None,
            false_alarms: 0,
            fault_ms: begins.zip(ends).map(|(begins, ends)| (ms(begins), ms(ends))),
        };
        Log { run, start_unix_ns: config.start_unix_ns }
    }

    pub(super) fn unix_ms(&self, at_ns: u64) -> u64 {
        (self.start_unix_ns + at_ns) / MS
    }

    pub(super) fn since_start_ns(&self, unix_ns: u64) -> u64 {
        unix_ns.saturating_sub(self.start_unix_ns)
    }

    /// Writes an effect down. Gives the place of a command that is to be sent.
    pub(super) fn note(
        &mut self,
        now_ns: u64,
        effect: &Effect,
        view: impl FnOnce() -> Option<GraphView>,
    ) -> Option<usize> {
        let at_ms = now_ns / MS;
        match effect {
            Effect::Finding(finding) => {
                if finding.state == FindingState::Opened {
                    self.opened(at_ms, view);
                }
                self.run.findings.push(Told { at_ms, what: finding.clone() });
            }
            Effect::Audit(entry) => self.run.audit.push(Told { at_ms, what: entry.clone() }),
            Effect::Command(command) => {
                self.run.commands.push(Sent { at_ms, command: command.clone(), arrival: None });
                return (command.mode == Mode::Act).then(|| self.run.commands.len() - 1);
            }
        }
        None
    }

    fn opened(&mut self, at_ms: u64, view: impl FnOnce() -> Option<GraphView>) {
        let began_ms = self.run.fault_ms.map_or(0, |(began_ms, _)| began_ms);
        self.run.false_alarms += usize::from(self.run.fault_ms.is_none() || at_ms < began_ms);
        if at_ms >= began_ms && self.run.detection.is_none() {
            self.run.detection = Some(Detection { at_ms, after_fault_ms: at_ms - began_ms, view: view() });
        }
    }

    pub(super) fn delivered(&mut self, place: usize, at_ns: u64, verdict: Verdict) {
        self.run.commands[place].arrival = Some((at_ns / MS, verdict));
    }

    pub(super) fn close(self, seconds: &[Second]) -> Run {
        Run { seconds: seconds.to_vec(), ..self.run }
    }
}
