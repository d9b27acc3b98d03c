//! What is commanded, and the step from one table to the next.

use crate::event::Event;
use crate::settings::{Settings, SettingsError};
use crate::shards::REASONS;
use crate::shared::Shared;
use admission::{Commanded, State, Table, Tallies, step};
use control::{InForce, Record, Subscriber, Verdict};
use model::{Knob, LEVELS, NameId, Setting};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
            second: Second::default(),
            totals: Totals::default(),
        };
        Ok((control, table))
    }
}

impl Shared {
    /// Takes a record of the control topic, and obeys it before it returns.
    pub(crate) fn offer(&self, record: &Record, broker_ms: u64) -> Verdict {
        let now_ms = self.clock.now_ms();
        let mut control = self.control();
        control.heard_ms = Some(now_ms);
        let verdict = control.subscriber.offer(record, broker_ms);
        if verdict == Verdict::Accepted {
            self.obey(&mut control, &Tallies::default(), now_ms);
        }
        drop(control);
        self.events.tell(Event::Order { key: record.key.clone(), verdict });
        verdict
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

/// What of a command the table obeys.
fn commanded(force: &InForce) -> Option<Commanded> {
    let table =
        matches!(force.setting.knob(), Knob::Admission | Knob::QueueBound | Knob::Concurrency | Knob::KillSwitch);
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
