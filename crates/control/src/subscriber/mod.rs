//! The subscriber's rule: for each key hold the highest (epoch, sequence); obey it if and only if its signature verifies
//! under a key that is valid for its target and its lease has not ended; the owner's clamps win. Everything else is
//! dropped and counted.
//!
//! State is rebuilt by reading the compacted topic from its start; nothing is stored. The same rule in prose, for any
//! language, is `schemas/subscriber.md`.

mod clamps;
mod me;
mod verdict;

pub use clamps::{Bound, Clamps};
pub use me::{Me, instance_share};
pub use verdict::{Counters, Drop, Verdict};

use crate::command::ToObey;
use crate::{Keyring, Kind, Record, Role, TTL_MAX_MS, command_key};
use clamps::{Clamped, SignedBy};
use model::{CommandId, Knob, KnobKind, Obeyed, Setting, Target};
use std::collections::BTreeMap;

/// A record whose broker timestamp is later than its signing by more than this is a replay.
pub const LATE_MAX_MS: u64 = 60_000;

/// So many keys that mean this instance are held.
const KEYS_MAX: usize = 10_000;

/// So many ids of one-shots are remembered; when they are all still alive, new ones are not done.
const ONE_SHOTS_MAX: usize = 4096;

/// A setting that is to be obeyed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The command's id.
    pub id: CommandId,
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// What it acts on: this service, one of its operations, or an edge from it.
    pub target: Target,
    /// The value after the owner's clamps.
    pub setting: Setting,
    /// When the lease ends, Unix milliseconds by the broker's clock.
    pub expires_ms: u64,
    /// Is this a ratchet whose lease has ended? Its value stays until a newer record comes.
    pub frozen: bool,
    /// The owner's clamp that changed the value.
    pub overridden_by: Option<String>,
}

/// The highest command of a key.
#[derive(Clone, Debug)]
struct Held {
    id: CommandId,
    epoch: u64,
    sequence: u64,
    target: Target,
    knob: Knob,
    /// `None` is a release, or a command whose key was withdrawn.
    setting: Option<Setting>,
    broker_ms: u64,
    lease_ends_ms: u64,
    /// After this no older record of the key can do harm, so the place may be given up.
    forget_ms: u64,
    key_id: String,
    key_until_ms: u64,
    by: SignedBy,
}

impl Held {
    fn expires_ms(&self) -> u64 {
        self.lease_ends_ms.min(self.key_until_ms)
    }

    fn is_ratchet(&self) -> bool {
        self.knob.kind() == KnobKind::Ratchet
    }
}

/// Follows the control topic for one instance. Feed it every record with [`Subscriber::offer`]; ask it with
/// [`Subscriber::in_force`].
#[derive(Clone, Debug)]
pub struct Subscriber {
    domain: String,
    me: Me,
    keyring: Keyring,
    clamps: Clamps,
    held: BTreeMap<String, Held>,
    /// One-shots that were handed out, or found done at the start; until when each must be remembered.
    done: BTreeMap<CommandId, u64>,
    reading: Reading,
    counters: Counters,
}

/// Has the state of the topic at the start been read?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Past,
    Live,
}

impl Subscriber {
    /// Holds nothing. It takes what it is offered for the past until [`Subscriber::caught_up`] is called.
    pub fn new(domain: &str, me: Me, keyring: Keyring, clamps: Clamps) -> Subscriber {
        Subscriber {
            domain: domain.to_owned(),
            me,
            keyring,
            clamps,
            held: BTreeMap::new(),
            done: BTreeMap::new(),
            reading: Reading::Past,
            counters: Counters::default(),
        }
    }

    /// The topic has been read up to where it ended at the start. One-shots that were offered before this moment count
    /// as done (or a restart would restart the instance again and again); later ones are handed out.
    pub fn caught_up(&mut self) {
        self.reading = Reading::Live;
    }

    /// Takes a record of the control topic. `broker_ms` is the record's timestamp, set by the broker.
    pub fn offer(&mut self, record: &Record, broker_ms: u64) -> Verdict {
        let verdict = match self.judge(record, broker_ms) {
            Ok(held) => {
                if self.reading == Reading::Past && held.knob.kind() == KnobKind::OneShot {
                    self.done.insert(held.id.clone(), held.forget_ms);
                }
                if let Some(until) = self.done.get_mut(&held.id) {
                    *until = held.forget_ms.max(*until);
                }
                self.held.insert(record.key.clone(), held);
                Verdict::Accepted
            }
            Err(why) => Verdict::Dropped(why),
        };
        self.counters.count(verdict)
    }

    /// What is to be obeyed now: for each knob of each scope (the service, an operation, an edge) the most restrictive
    /// valid command, sorted by scope and knob. One-shots are not among them: see [`Subscriber::take_one_shots`].
    pub fn in_force(&self, now_ms: u64) -> Vec<InForce> {
        let mut winners: BTreeMap<(Option<&str>, Option<&str>, Knob), InForce> = BTreeMap::new();
        for held in self.held.values().filter(|held| held.knob.kind() != KnobKind::OneShot) {
            let Some(force) = self.force(held, now_ms) else { continue };
            let callee = held.target.caller.is_some().then_some(held.target.service.as_str());
            let scope = (callee, held.target.operation.as_deref(), held.knob);
            match winners.get(&scope) {
                Some(best) if best.setting.strictness() >= force.setting.strictness() => {}
                _ => {
                    winners.insert(scope, force);
                }
            }
        }
        winners.into_values().collect()
    }

    /// The value of a knob for one request: the most restrictive of what is in force for the service and for its
    /// `operation`, or, with a `callee`, for the edge to it (and the callee's `operation`).
    pub fn effective(&self, knob: Knob, callee: Option<&str>, operation: Option<&str>, now_ms: u64) -> Option<Setting> {
        let meets = |target: &Target| {
            let edge = target.caller.is_some().then_some(target.service.as_str());
            edge == callee && target.operation.as_deref().is_none_or(|only| operation == Some(only))
        };
        self.held
            .values()
            .filter(|held| held.knob == knob && meets(&held.target))
            .filter_map(|held| Some(self.force(held, now_ms)?.setting))
            .reduce(Setting::stricter)
    }

    /// One-shots to be done now. Each id is handed out once, whatever comes later.
    pub fn take_one_shots(&mut self, now_ms: u64) -> Vec<InForce> {
        self.done.retain(|_, forget_ms| *forget_ms > now_ms);
        let mut due = Vec::new();
        for held in self.held.values().filter(|held| held.knob.kind() == KnobKind::OneShot) {
            let Some(force) = self.force(held, now_ms) else { continue };
            if self.done.len() < ONE_SHOTS_MAX && !self.done.contains_key(&held.id) {
                self.done.insert(held.id.clone(), held.forget_ms);
                due.push(force);
            }
        }
        due
    }

    /// What to say in a guard report: every command that means this instance and has not ended, with the clamp that beat
    /// it, if one did.
    pub fn obeyed(&self, now_ms: u64) -> Vec<Obeyed> {
        let alive = |held: &&Held| now_ms < held.expires_ms() || held.is_ratchet();
        let mut obeyed = Vec::new();
        for held in self.held.values().filter(alive) {
            let Some(setting) = held.setting else { continue };
            let overridden_by = self.clamps.apply(&held.target, setting, held.by).overridden_by;
            let (id, epoch, sequence) = (held.id.clone(), held.epoch, held.sequence);
            obeyed.push(Obeyed { id, epoch, sequence, overridden_by });
        }
        obeyed
    }

    /// When the next lease ends, after `now_ms`: the shell need not look before.
    pub fn next_expiry_ms(&self, now_ms: u64) -> Option<u64> {
        let leases = self.held.values().filter(|held| held.setting.is_some() && !held.is_ratchet());
        leases.map(Held::expires_ms).filter(|expires_ms| *expires_ms > now_ms).min()
    }

    /// The broker timestamp of the latest record that is held: how old the orders are.
    pub fn latest_ms(&self) -> Option<u64> {
        self.held.values().map(|held| held.broker_ms).max()
    }

    /// Records accepted and dropped.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The owner's clamps.
    pub fn clamps(&self) -> &Clamps {
        &self.clamps
    }

    /// Other clamps, from now on.
    pub fn set_clamps(&mut self, clamps: Clamps) {
        self.clamps = clamps;
    }

    /// Another keyring, after a rotation or when a key was stolen: what was signed by a key that no longer counts for its
    /// target ends at once.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        for held in self.held.values_mut() {
            match keyring.get(&held.key_id).filter(|key| key.valid_for(&held.target) && key.valid_at(held.broker_ms)) {
                Some(key) => held.key_until_ms = key.until_ms,
                None => held.setting = None,
            }
        }
        self.keyring = keyring;
    }

    /// Gives up the places of keys that ended so long ago that nothing older can come back. Frozen ratchets stay.
    pub fn tidy(&mut self, now_ms: u64) {
        self.held.retain(|_, held| held.forget_ms > now_ms || (held.is_ratchet() && held.setting.is_some()));
        self.done.retain(|_, forget_ms| *forget_ms > now_ms);
    }

    /// The cheap questions first, the signature last.
    fn judge(&mut self, record: &Record, broker_ms: u64) -> Result<Held, Drop> {
        if record.value.is_empty() {
            return Err(Drop::Tombstone);
        }
        if !record.key.strip_prefix(self.domain.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Err(Drop::WrongDomain);
        }
        let read = ToObey::read(&record.value).map_err(|_| Drop::Malformed)?;
        if record.key != command_key(&self.domain, &read.target, read.knob) {
            return Err(Drop::KeyMismatch);
        }
        if read.mode != model::Mode::Act {
            return Err(Drop::NotToObey);
        }
        if !self.me.is_meant_by(&read.target) {
            return Err(Drop::NotForMe);
        }
        let held = self.held.get(&record.key);
        if held.is_some_and(|held| (read.epoch, read.sequence) <= (held.epoch, held.sequence)) {
            return Err(Drop::Older);
        }
        let (key_id, key) = self.keyring.verify_strict(Kind::Command, record)?;
        if !key.roles.contains(&Role::Engine) {
            return Err(Drop::WrongRole);
        }
        if !key.valid_at(broker_ms) {
            return Err(Drop::WrongTime);
        }
        if !key.valid_for(&read.target) {
            return Err(Drop::WrongTarget);
        }
        if broker_ms > read.issued_ms.saturating_add(LATE_MAX_MS) {
            return Err(Drop::Late);
        }
        let by = if key.roles.contains(&Role::Operator) { SignedBy::Operator } else { SignedBy::Engine };
        let (key_id, key_until_ms) = (key_id.to_owned(), key.until_ms);
        if held.is_none() && self.held.len() >= KEYS_MAX {
            self.tidy(broker_ms);
            if self.held.len() >= KEYS_MAX {
                return Err(Drop::Full);
            }
        }
        let ttl_ms = u64::from(read.ttl_ms.min(TTL_MAX_MS));
        Ok(Held {
            id: read.id,
            epoch: read.epoch,
            sequence: read.sequence,
            target: read.target,
            knob: read.knob,
            setting: read.setting,
            broker_ms,
            lease_ends_ms: broker_ms.saturating_add(ttl_ms),
            forget_ms: broker_ms.max(read.issued_ms).saturating_add(LATE_MAX_MS + u64::from(TTL_MAX_MS)),
            key_id,
            key_until_ms,
            by,
        })
    }

    /// What a held command means now; `None` if it has ended, or the clamps leave nothing of it.
    fn force(&self, held: &Held, now_ms: u64) -> Option<InForce> {
        let commanded = held.setting?;
        let ended = now_ms >= held.expires_ms();
        if ended && !held.is_ratchet() {
            return None;
        }
        let Clamped { setting, overridden_by } = self.clamps.apply(&held.target, commanded, held.by);
        Some(InForce {
            id: held.id.clone(),
            epoch: held.epoch,
            sequence: held.sequence,
            target: held.target.clone(),
            setting: setting?,
            expires_ms: held.expires_ms(),
            frozen: ended,
            overridden_by,
        })
    }
}

#[cfg(test)]
mod tests;
