//! What is in force: leases, what people hold, and what is over. The only memory of this crate.
//!
//! Three entrances: [`Ledger::consider`] for a fresh window, [`Ledger::tick`] for time, [`Ledger::order`] for people. Each
//! ends in the same settlement, which sends what is due. Invariant: one lease per (target, knob); while disarmed none
//! but what a gentle stop has not let go of yet.

mod consider;
mod lease;
mod orders;
mod recover;
mod settle;
mod stand_down;
mod steps;
mod trial;

pub use lease::{Hold, Key, Lease, Phase, Sent};
pub use stand_down::StandDown;
pub use trial::Room;

use crate::gates::Telemetry;
use crate::guards::{Guards, carrier};
use crate::identity::Incident;
use crate::policy::Policy;
use model::{AuditEntry, AuditKind, Command, CommandId, GuardReport, Mode, Setting};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ids and orders that are remembered after they are over.
const REMEMBERED_MAX: usize = 4_096;

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a handful a second, moved on at once: a box would be one more allocation for each"
)]
pub enum Outcome {
    /// A lease, a change, a renewal or a release.
    Command(Command),
    /// Why.
    Audit(AuditEntry),
}

/// Why an id is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Over {
    /// A one-shot that was done.
    Spent,
    /// A person refused it.
    Refused,
    /// Nobody obeyed it, or it had no effect.
    Useless,
}

/// An incident that interventions are planned against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Its identity, fixed.
    pub incident: Incident,
    /// When evidence was last seen.
    pub evidence_ms: u64,
    /// How often it came back while commands were being released.
    pub relapses: u32,
    /// What the last window says of the room for more demand.
    pub room: Room,
    /// Trials of more demand that failed in a row.
    pub failed: u32,
    /// No trial before this.
    pub try_ms: u64,
}

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    leases: BTreeMap<Key, Lease>,
    holds: BTreeMap<Key, Hold>,
    incidents: BTreeMap<String, Running>,
    /// Incidents that ended lately: (when, relapses), by overloaded service.
    ended: BTreeMap<String, (u64, u32)>,
    over: BTreeMap<CommandId, Over>,
    over_order: VecDeque<CommandId>,
    approved: BTreeSet<CommandId>,
    orders_seen: VecDeque<String>,
    begun_ms: VecDeque<u64>,
    abstained: BTreeMap<String, String>,
    guards: Guards,
    mode_set: Option<Mode>,
    disarmed_by: Option<String>,
    standing_down: StandDown,
    services_total: u32,
    entry_rps: f64,
    sequence: u64,
    now_ms: u64,
    fresh_ms: u64,
    telemetry: Telemetry,
}

impl Ledger {
    /// Time passes: leases are renewed, stepped and released as they are due.
    pub fn tick(&mut self, now_ms: u64, policy: &Policy) -> Vec<Outcome> {
        self.now_ms = self.now_ms.max(now_ms);
        self.guards.forget_silent(self.now_ms);
        if self.now_ms.saturating_sub(self.fresh_ms) > policy.stale_after_ms {
            self.telemetry = Telemetry::Thin;
        }
        self.settle(policy)
    }

    /// A guard says what it does.
    pub fn hear(&mut self, report: &GuardReport) {
        self.guards.hear(report, self.now_ms);
    }

    /// What guards say.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Leases by (target, knob).
    pub fn leases(&self) -> &BTreeMap<Key, Lease> {
        &self.leases
    }

    /// Knobs that people hold.
    pub fn holds(&self) -> &BTreeMap<Key, Hold> {
        &self.holds
    }

    /// Did a person approve this command?
    pub fn is_approved(&self, id: &CommandId) -> bool {
        self.approved.contains(id)
    }

    /// Commands as they were last sent, sorted by (target, knob).
    pub fn commands(&self, policy: &Policy) -> Vec<Command> {
        let leases = self.leases.iter();
        leases.filter_map(|(key, lease)| lease.command(key, self.sequence, policy.lease_ttl_ms)).collect()
    }

    /// Is there anything that the next window could bear on?
    pub fn is_idle(&self) -> bool {
        self.leases.is_empty() && self.incidents.is_empty()
    }

    /// Services that leases and incidents are about, and those that carry them out.
    pub fn concerned(&self) -> BTreeSet<&str> {
        let about = self.leases.values().map(|lease| lease.about.as_str());
        let targets = self.leases.keys().map(|key| key.0.service.as_str());
        about.chain(targets).chain(self.incidents.keys().map(String::as_str)).collect()
    }

    /// What acting admission sheds for the sake of each overloaded service, trials aside: of several entries the strictest.
    pub fn admission(&self) -> BTreeMap<String, Setting> {
        let mut by_about: BTreeMap<String, Setting> = BTreeMap::new();
        for lease in self.leases.values().filter(|lease| lease.acts()) {
            let sent = lease.sent.as_ref().map(|sent| sent.setting);
            // While more is tried, what holds is what the trial falls back to.
            let holds = lease.eased.map_or(sent, |_| Some(lease.wanted));
            let Some(setting @ Setting::Admission { .. }) = holds else { continue };
            let strictest = by_about.entry(lease.about.clone()).or_insert(setting);
            *strictest = strictest.stricter(setting);
        }
        by_about
    }

    /// Entries of which acting admission commands the whole.
    pub fn whole_entries(&self) -> BTreeSet<String> {
        let acting = self.leases.iter().filter(|(_, lease)| lease.acts());
        let whole = acting.filter(|(key, _)| key.1 == model::Knob::Admission && key.0.operation.is_none());
        whole.map(|(key, _)| key.0.service.clone()).collect()
    }

    /// Services that an acting command changes: nothing is to be learned of them.
    pub fn acted_on(&self) -> BTreeSet<&str> {
        let acting = self.leases.iter().filter(|(_, lease)| lease.acts());
        acting.flat_map(|(key, lease)| [lease.about.as_str(), carrier(&key.0)]).collect()
    }

    /// Who disarmed the engine; `None` while it is armed.
    pub fn disarmed_by(&self) -> Option<&str> {
        self.disarmed_by.as_deref()
    }

    /// How a disarmed engine treats what was in force.
    pub fn standing_down(&self) -> StandDown {
        self.standing_down
    }

    /// How many services the graph knew in the last window that was considered.
    pub fn services_total(&self) -> u32 {
        self.services_total
    }

    /// The mode of everything that a person set.
    pub fn mode_set(&self) -> Option<Mode> {
        self.mode_set
    }

    /// The last tick, Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// How far the engine may go with a knob of a target, before gates.
    fn mode_of(&self, key: &Key, policy: &Policy) -> Mode {
        let carrier = carrier(&key.0);
        match self.mode_set {
            None => policy.mode_of(carrier, key.1),
            Some(set) if policy.has_rule(carrier, key.1) => set.min(policy.mode_of(carrier, key.1)),
            Some(set) => set,
        }
    }

    /// Remembers that an id is over; the oldest are forgotten past a cap.
    fn close(&mut self, id: &CommandId, over: Over) {
        if self.over.insert(id.clone(), over).is_none() {
            self.over_order.push_back(id.clone());
        }
        if self.over_order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.over_order.pop_front()
        {
            self.over.remove(&oldest);
        }
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn audit(&self, kind: AuditKind, subject: &str, text: String) -> AuditEntry {
        AuditEntry { at_ms: self.now_ms, kind, subject: subject.to_owned(), text, ..AuditEntry::default() }
    }

    /// An entry about a lease.
    fn audit_lease(&self, kind: AuditKind, key: &Key, lease: &Lease, text: String) -> Outcome {
        Outcome::Audit(AuditEntry {
            command: Some(lease.id.clone()),
            finding: Some(model::FindingId(lease.reason.finding.clone())),
            ..self.audit(kind, &subject(key), text)
        })
    }

    /// The record that ends what was sent; nothing if nothing was.
    fn released(&mut self, key: &Key, lease: &Lease, policy: &Policy) -> Option<Outcome> {
        let sequence = self.next_sequence();
        let command = lease.command(key, sequence, policy.lease_ttl_ms)?;
        Some(Outcome::Command(Command { setting: None, ..command }))
    }
}

/// `target/knob`, as in a command's record key.
fn subject(key: &Key) -> String {
    format!("{}/{}", key.0, key.1.as_str())
}
