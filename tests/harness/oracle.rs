//! The oracle: reads the topics as a stranger would, and accounts for every span and every command.

use control::{Clamps, Key, Keyring, Me, Role, Subscriber};
use engine::{Effect, Engine, Input};
use kafka::{Connection, Edge, Tail, TailConfig, TailRecord, Topics};
use model::{CommandId, Finding, FindingState, Mode, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// What the topics say.
pub struct Oracle<'a> {
    pub connection: &'a Connection,
    pub topics: &'a Topics,
    pub domain: &'a str,
    pub public: [u8; 32],
}

type Commanded = (String, CommandId, u64, Option<Setting>);

/// What was found.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed")]
pub struct Account {
    pub windows: usize,
    pub commands: usize,
    pub one_shots: usize,
    pub owners_that_acted: usize,
    pub claims: usize,
}

impl Oracle<'_> {
    fn read(&self, topic: &str) -> Vec<TailRecord> {
        let config = TailConfig::new(self.connection.clone(), topic, Edge::Earliest);
        Tail::connect(&config).and_then(|mut tail| tail.read_to_end(PATIENCE)).expect("the topic can be read")
    }

    fn inputs(&self) -> Vec<Input> {
        runtime::journal_inputs(self.read(&self.topics.journal), self.domain).expect("our own journal")
    }

    /// Spans in journalled windows.
    pub fn spans_counted(&self) -> u64 {
        let spans = |input: &Input| if let Input::Window(window) = input { window.spans } else { 0 };
        self.inputs().iter().map(spans).sum()
    }

    /// Findings that opened, or went on, in windows that ended after `since_ms`.
    pub fn told_since(&self, since_ms: u64) -> usize {
        let findings = self.findings().into_iter();
        findings.filter(|one| one.state != FindingState::Closed && one.at_ms >= since_ms).count()
    }

    fn findings(&self) -> Vec<Finding> {
        let records = self.read(&self.topics.findings).into_iter();
        records.filter_map(|record| control::decode_finding(&record.into_record()).ok()).collect()
    }

    /// What was found and counted, for people who ask why nothing was told: seconds are counted from `since_ms`.
    pub fn story(&self, since_ms: u64) -> String {
        let mut told = Vec::new();
        for one in self.findings() {
            told.push((one.at_ms, format!("{:?} {:?} {}: {}", one.state, one.signature, one.subject, one.summary)));
        }
        for record in self.read(&self.topics.control) {
            let (_, command) = wire(&record).into_command();
            let at_ms = record.timestamp_ms.unwrap_or(0) as u64;
            told.push((at_ms, format!("{:?} {:?}", command.target, command.setting)));
        }
        for input in self.inputs() {
            let Input::Window(window) = input else { continue };
            told.push((window.end_ns / 1_000_000, format!("{} spans, {} late", window.spans, window.late)));
        }
        told.sort();
        let seconds = |ms: u64| (ms as f64 - since_ms as f64) / 1_000.0;
        told.iter().map(|(at_ms, what)| format!("{:>7.1} s {what}\n", seconds(*at_ms))).collect()
    }

    /// Checks everything that must hold at any time.
    pub fn check(&self) -> Account {
        // The engines go on meanwhile: what is read before the journal must be in it, what it says must be in what is read after.
        let before = (self.sent(&self.read(&self.topics.control)), self.read(&self.topics.audit).len());
        let inputs = self.inputs();
        let Input::Config(config) = &inputs[0] else { panic!("the journal begins with {:?}", inputs[0]) };
        let mut engine = Engine::new((**config).clone());
        let (mut decided, mut audits, mut ends) = (Vec::new(), 0, Vec::new());
        for input in &inputs {
            ends.extend(if let Input::Window(window) = input { Some(window.end_ns) } else { None });
            for effect in engine.apply(input) {
                match effect {
                    Effect::Command(command) if command.mode == Mode::Act => {
                        let key = control::command_key(self.domain, &command.target, command.knob);
                        decided.push((key, command.id, command.sequence, command.setting));
                    }
                    Effect::Audit(_) => audits += 1,
                    Effect::Command(_) | Effect::Finding(_) => {}
                }
            }
        }
        assert!(ends.is_sorted_by(|a, b| a < b), "no window is journalled twice");

        // No command is lost and none is there twice: what one engine decides that takes in the journal of all owners is
        // exactly what stands on the control topic.
        let records = self.read(&self.topics.control);
        let sent = self.sent(&records);
        let differ = sent.iter().zip(&decided).position(|(sent, decided)| sent != decided);
        let differ = differ.map(|at| (at, &sent[at], &decided[at]));
        assert_eq!(differ, None, "(place, sent, decided) of {} sent, {} decided", sent.len(), decided.len());
        let bounds = before.0.len()..=sent.len();
        assert!(bounds.contains(&decided.len()), "{} decided, but {bounds:?} on the control topic", decided.len());

        let trail: Vec<control::Record> =
            self.read(&self.topics.audit).into_iter().map(TailRecord::into_record).collect();
        let bounds = before.1..=trail.len();
        assert!(bounds.contains(&audits), "{audits} audits decided, but {bounds:?} links in the trail");
        control::verify_chain(&trail, &self.keyring()).expect("one chain over all owners");

        let (claims, epochs) = self.epochs(&records);
        let one_shots = self.obey(&records);
        Account { windows: ends.len(), commands: sent.len(), one_shots, owners_that_acted: epochs, claims }
    }

    /// What records of the control topic command: key, id, sequence, value.
    fn sent(&self, records: &[TailRecord]) -> Vec<Commanded> {
        let commanded = |record: &TailRecord| {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            let (_, command) = wire(record).into_command();
            (key, command.id, command.sequence, command.setting)
        };
        records.iter().map(commanded).collect()
    }

    /// Every command is of an owner that has claimed, and no older owner acts after a newer one.
    fn epochs(&self, records: &[TailRecord]) -> (usize, usize) {
        let claims: BTreeSet<u64> = self.read(&self.topics.claims).iter().map(|claim| claim.offset as u64).collect();
        let epochs: Vec<u64> = records.iter().map(|record| wire(record).epoch).collect();
        assert!(epochs.is_sorted(), "an old owner acted after a newer one: {epochs:?}");
        assert!(epochs.iter().all(|epoch| claims.contains(epoch)), "{epochs:?} of {claims:?}");
        (claims.len(), epochs.iter().collect::<BTreeSet<_>>().len())
    }

    /// Obeys the topic by the subscriber's rule, once for each service, and sees that nothing has two effects.
    fn obey(&self, records: &[TailRecord]) -> usize {
        let mut services = BTreeSet::new();
        for record in records {
            let (_, command) = wire(record).into_command();
            services.insert(command.target.caller.clone().unwrap_or(command.target.service));
        }
        let mut shots = 0;
        for service in services {
            let me = Me { service, instance: "oracle".into(), ..Me::default() };
            let mut subscriber = Subscriber::new(self.domain, me, self.keyring(), Clamps::default());
            subscriber.caught_up();
            let mut done = BTreeMap::new();
            for record in records {
                let at_ms = record.timestamp_ms.unwrap_or(0) as u64;
                subscriber.offer(&record.clone().into_record(), at_ms);
                for shot in subscriber.take_one_shots(at_ms) {
                    *done.entry(shot.id).or_insert(0) += 1;
                }
            }
            assert!(done.values().all(|times| *times == 1), "a one-shot with two effects: {done:?}");
            let mut dropped = subscriber.counters().dropped.clone();
            dropped.remove(&control::Drop::NotForMe);
            assert!(dropped.is_empty(), "every command is valid and newer than the one before: {dropped:?}");
            shots += done.len();
        }
        shots
    }

    fn keyring(&self) -> Keyring {
        let mut ring = Keyring::new();
        ring.add(Key::new(self.public, Role::Engine)).expect("a good key");
        ring
    }
}

fn wire(record: &TailRecord) -> control::CommandWire {
    control::decode_command(&record.clone().into_record()).expect("a command")
}
