//! What is commanded, and the step from one table to the next.

use crate::event::Event;
use crate::settings::{Settings, SettingsError, read_keyring};
use crate::shards::REASONS;
use crate::shared::Shared;
use crate::sync::Ordering;
use admission::{Commanded, State, Table, Tallies, step};
use control::{InForce, Keyring, Record, Subscriber, Verdict};
use model::{Knob, LEVELS, NameId, Setting};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// How much of a new measurement of the holding time is taken over.
const HOLD_WEIGHT: f64 = 0.2;

/// The machines behind the table. One lock, taken by a step and by a record, never by a request.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) subscriber: Subscriber,
    state: State,
    pub(crate) in_force: Vec<InForce>,
    /// When the last record came, or the feed said that it is alive.
    pub(crate) heard_ms: Option<u64>,
    pub(crate) caught_up: bool,
    /// How long it took from a record to the table that obeys it, the last time and the longest, microseconds.
    pub(crate) applied_us: (u64, u64),
    /// The keyring's file as it was read last: when it was changed, and its keys' ids.
    keyring_at: Option<SystemTime>,
    pub(crate) second: Second,
    pub(crate) totals: Totals,
}

/// Counts since the last report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    pub(crate) tallies: Tallies,
    pub(crate) expired: u32,
    pub(crate) retries_refused_before: u64,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) admitted: [u64; LEVELS],
    pub(crate) refused: [u64; LEVELS],
    pub(crate) reasons: [u64; REASONS],
    pub(crate) completed: u64,
}

impl Control {
    /// The machines at rest, and their first table.
    pub(crate) fn new(settings: &Settings, random: u64, now_ms: u64) -> Result<(Control, Table), SettingsError> {
        let mut clamps = settings.clamps.clamps()?;
        clamps.never_shed.clone_from(&settings.server.never_shed);
        let keyring = settings.keyring.clone().unwrap_or_default();
        let subscriber = Subscriber::new(&settings.domain, settings.me(), keyring, clamps);
        let mut state = State::new(settings.admission(), random);
        let table = step(&mut state, &Tallies::default(), now_ms);
        let control = Control {
            subscriber,
            state,
            in_force: Vec::new(),
            heard_ms: None,
            caught_up: false,
            applied_us: (0, 0),
            keyring_at: settings.keyring_file.as_deref().and_then(changed_at),
            second: Second::default(),
            totals: Totals::default(),
        };
        Ok((control, table))
    }

    /// Is a command in force, or a lever on its way back?
    pub(crate) fn is_commanded(&self) -> bool {
        !self.in_force.is_empty() || !self.state.is_normal()
    }
}

impl Shared {
    /// Takes a record of the control topic, and obeys it before it returns.
    pub(crate) fn offer(&self, record: &Record, broker_ms: u64) -> Verdict {
        let (begun, now_ms) = (Instant::now(), self.clock.now_ms());
        let mut control = self.control();
        control.heard_ms = Some(now_ms);
        let verdict = control.subscriber.offer(record, broker_ms);
        if verdict == Verdict::Accepted {
            self.obey(&mut control, &Tallies::default(), now_ms);
            let took_us = begun.elapsed().as_micros() as u64;
            control.applied_us = (took_us, control.applied_us.1.max(took_us));
        }
        drop(control);
        self.events.tell(Event::Order { key: record.key.clone(), verdict });
        verdict
    }

    /// The state of the topic at the start has been read.
    pub(crate) fn caught_up(&self) {
        let mut control = self.control();
        control.subscriber.caught_up();
        control.caught_up = true;
        control.heard_ms = Some(self.clock.now_ms());
    }

    /// The other side is there.
    pub(crate) fn heard(&self) {
        self.control().heard_ms = Some(self.clock.now_ms());
    }

    /// Other keys; what was signed by one that no longer counts ends at once.
    pub(crate) fn set_keyring(&self, keyring: Keyring) {
        self.control().subscriber.set_keyring(keyring);
        self.step();
    }

    /// Reads the keyring's file again if it has changed. One that cannot be read changes nothing.
    pub(crate) fn reload_keyring(&self) {
        let Some(path) = &self.settings.keyring_file else { return };
        let at = changed_at(path);
        if at.is_none() || std::mem::replace(&mut self.control().keyring_at, at) == at {
            return;
        }
        match read_keyring(path) {
            Ok(keyring) => self.set_keyring(keyring),
            Err(error) => tracing::error!(%error, "the keyring stays as it was"),
        }
    }

    /// Moves the limits by what was counted and the levers by the time; leases that have ended end here.
    pub(crate) fn step(&self) {
        self.clock.sync();
        let now_ms = self.clock.now_ms();
        let mut control = self.control();
        let counted = self.counts.take();
        control.count(&counted);
        self.learn_hold(&counted.tallies);
        self.obey(&mut control, &counted.tallies, now_ms);
        drop(control);
        let dropped = self.gate.tidy(now_ms);
        self.tell(dropped, now_ms);
        self.let_in(now_ms);
    }

    fn obey(&self, control: &mut Control, tallies: &Tallies, now_ms: u64) {
        let in_force = control.subscriber.in_force(now_ms);
        let commanded: Vec<Commanded> = in_force.iter().filter_map(commanded).collect();
        control.state.command(&commanded, now_ms);
        let table = step(&mut control.state, tallies, now_ms);
        let places = table.in_flight_max[LEVELS - 1];
        self.gate.configure(table.queue_bound_ms, places, table.retry);
        self.counts.set_limit(table.in_flight_max[0]);
        let level_before = self.table.load().kill_level;
        let level = table.kill_level;
        self.table.store(Arc::new(table));
        self.callees.obey(&in_force, now_ms);
        if level != level_before {
            self.events.tell(Event::KillLevel { level });
        }
        if in_force != control.in_force {
            self.events.tell(Event::InForce { commands: in_force.len() });
        }
        control.in_force = in_force;
        for once in control.subscriber.take_one_shots(now_ms) {
            if let (Setting::Purge { older_than_ms }, None) = (once.setting, &once.target.caller) {
                let operation = once.target.operation.as_deref().map(NameId::of);
                let dropped = self.gate.purge(older_than_ms, operation, now_ms);
                self.tell(dropped, now_ms);
            }
            self.events.tell(Event::OneShot(once));
        }
    }

    fn learn_hold(&self, tallies: &Tallies) {
        if tallies.completed > 0 {
            let measured = tallies.latency_us_sum as f64 / f64::from(tallies.completed);
            let before = f64::from(self.hold_us.load(Ordering::Relaxed));
            let weight = if before == 0.0 { 1.0 } else { HOLD_WEIGHT };
            self.hold_us.store((before + (measured - before) * weight) as u32, Ordering::Relaxed);
        }
    }
}

/// When a file was changed last.
fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// What of a command the table obeys.
fn commanded(force: &InForce) -> Option<Commanded> {
    let table = matches!(
        force.setting.knob(),
        Knob::Admission | Knob::QueueBound | Knob::Concurrency | Knob::KillSwitch | Knob::Route
    );
    let operation = force.target.operation.as_deref().map(NameId::of);
    (table && force.target.caller.is_none()).then_some(Commanded { operation, setting: force.setting })
}

impl Control {
    fn count(&mut self, counted: &crate::shards::Counted) {
        let (tallies, reasons) = (&counted.tallies, &counted.reasons);
        self.second.tallies.add(tallies);
        self.second.expired += reasons[3] + reasons[4];
        for class in 0..LEVELS {
            self.totals.admitted[class] += u64::from(tallies.admitted[class]);
            self.totals.refused[class] += u64::from(tallies.refused[class]);
        }
        (0..REASONS).for_each(|at| self.totals.reasons[at] += u64::from(reasons[at]));
        self.totals.completed += u64::from(tallies.completed);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Clock, Guard, Settings};
    use control::{Role, Signer, public_key_line};

    #[test]
    fn a_keyring_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing() {
        crate::interleavings::once(rotate);
    }

    fn rotate() {
        let path = std::env::temp_dir().join(format!("stopbank-keyring-{}", std::process::id()));
        let key = |seed| Signer::from_seed([seed; 32]);
        let write = |text: &str, later_s: u64| {
            std::fs::write(&path, text).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(later_s)).unwrap();
        };
        write(&public_key_line(&key(1).public(), Role::Engine), 0);
        let settings = Settings { service: "cart".into(), keyring_file: Some(path.clone()), ..Settings::default() };
        let guard = Guard::new(settings, Clock::manual(1_000_000)).unwrap();
        let verdict = |seed: u8, sequence| {
            let setting = model::Setting::KillSwitch { level: 1 };
            let command = model::Command {
                id: model::CommandId("1".into()),
                sequence,
                ttl_ms: 1000,
                target: model::Target::service("cart"),
                knob: setting.knob(),
                setting: Some(setting),
                reason: model::Reason::default(),
                mode: model::Mode::Act,
            };
            guard.offer(&key(seed).command("default", 1, &command, 1_000_000), 1_000_000)
        };
        let unknown = control::Verdict::Dropped(control::Drop::UnknownKey);
        assert_eq!((verdict(1, 1), verdict(2, 2)), (control::Verdict::Accepted, unknown));
        let both = public_key_line(&key(1).public(), Role::Engine) + &public_key_line(&key(2).public(), Role::Engine);
        write(&both, 10);
        guard.shared.reload_keyring();
        assert_eq!((verdict(1, 3), verdict(2, 4)), (control::Verdict::Accepted, control::Verdict::Accepted), "overlap");
        write("kex", 20);
        guard.shared.reload_keyring();
        assert_eq!(verdict(2, 5), control::Verdict::Accepted);
        write(&public_key_line(&key(2).public(), Role::Engine), 30);
        guard.shared.reload_keyring();
        assert_eq!((verdict(1, 6), verdict(2, 7)), (unknown, control::Verdict::Accepted));
        std::fs::remove_file(&path).unwrap();
    }
}
