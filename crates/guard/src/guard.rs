//! The handle that a service holds.

use crate::callee::{Callee, Callees};
use crate::clock::Clock;
use crate::control::Control;
use crate::event::{Event, Events};
use crate::gate::Gate;
use crate::health::Health;
use crate::labels::Labels;
use crate::permit::{Held, Permit};
use crate::random::random;
use crate::refusal::Refusal;
use crate::settings::{Settings, SettingsError};
use crate::shards::Shards;
use crate::shared::Shared;
use crate::sync::{ArcSwap, AtomicU32, Mutex};
use admission::{Decision, Reason, Request, Retry, Table};
use control::{Clamps, Keyring, Record, Verdict};
use model::{GuardReport, LEVELS};
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot};

/// A service's guard. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(crate) shared: Arc<Shared>,
}

impl Guard {
    /// A guard that is moved by hand: call [`Guard::step`] every 100 ms or so, and feed it with [`Guard::offer`].
    /// [`crate::GuardBuilder::start`] does both by itself.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings, clock: Clock) -> Result<Guard, SettingsError> {
        let settings = settings.checked()?;
        let (control, table) = Control::new(&settings, random(), clock.now_ms())?;
        let gate = Gate::new(table.queue_bound_ms, settings.server.lifo_after_ms);
        gate.configure(table.queue_bound_ms, table.in_flight_max[LEVELS - 1], table.retry);
        let counts = Shards::new();
        counts.set_limit(table.in_flight_max[0]);
        let shared = Shared {
            settings,
            clock,
            table: ArcSwap::from_pointee(table),
            counts,
            gate,
            callees: Callees::default(),
            events: Events::new(),
            control: Mutex::new(control),
            hold_us: AtomicU32::new(0),
        };
        Ok(Guard { shared: Arc::new(shared) })
    }

    /// Would a request be let in now? Asks only: takes no place and counts nothing.
    #[inline]
    pub fn decide(&self, request: &Request) -> Decision {
        let shared = &*self.shared;
        let load = admission::Load { in_flight: shared.counts.glance(), queued_work_ms: shared.gate.work_ms() };
        admission::decide(&shared.table.load(), request, load, shared.clock.now_ms())
    }

    /// Lets a request in at once or refuses it; nobody waits.
    ///
    /// # Errors
    /// The refusal, with what its client is to be told.
    #[inline]
    pub fn try_admit(&self, request: &Request) -> Result<Permit<'_>, Refusal> {
        let now_us = self.shared.clock.now_us();
        match self.shared.enter(&self.shared.table.load(), request, now_us / 1000) {
            Decision::Admit => Ok(Permit::new(Held::Borrowed(&self.shared), request.cost, now_us, 0)),
            Decision::Refuse { reason, retry } => Err(self.shared.refuse(request, reason, retry)),
        }
    }

    /// Lets a request in, perhaps after it has waited for its turn in the queue.
    ///
    /// # Errors
    /// The refusal, with what its client is to be told.
    pub async fn admit(&self, request: &Request) -> Result<Permit<'static>, Refusal> {
        match self.enter(request, self.shared.clock.now_us()) {
            Entered::Admitted(permit) => Ok(permit),
            Entered::Refused(refusal) => Err(refusal),
            Entered::Waits(waiter) => waiter.wait().await,
        }
    }

    /// The same in two parts, for the layer's future.
    pub(crate) fn enter(&self, request: &Request, now_us: u64) -> Entered {
        let shared = &self.shared;
        let table = shared.table.load();
        let decision = if shared.gate.queued() > 0 && !request.spared {
            // whoever comes while others wait stands behind them
            match self.decide(request) {
                Decision::Admit => Decision::Refuse { reason: Reason::Concurrency, retry: table.retry },
                refused => refused,
            }
        } else {
            shared.enter(&table, request, now_us / 1000)
        };
        match decision {
            Decision::Admit => {
                let held = Held::Owned(shared.clone());
                Entered::Admitted(Permit::new(held, request.cost, now_us, 0))
            }
            Decision::Refuse { reason: Reason::Concurrency, .. } if table.queue_bound_ms > 0 => {
                let told = shared.queue(request, now_us / 1000);
                Entered::Waits(Waiter { shared: shared.clone(), told: Some(told), request: *request, since_us: now_us })
            }
            Decision::Refuse { reason, retry } => Entered::Refused(shared.refuse(request, reason, retry)),
        }
    }

    /// Takes a record of the control topic and obeys it before returning. `broker_ms` is the record's timestamp.
    pub fn offer(&self, record: &Record, broker_ms: u64) -> Verdict {
        self.shared.offer(record, broker_ms)
    }

    /// The control topic has been read up to where it ended at the start: one-shots are done from now on.
    pub fn caught_up(&self) {
        self.shared.caught_up();
    }

    /// Whoever feeds the guard has heard from the other side, though there was no record.
    pub fn heard(&self) {
        self.shared.heard();
    }

    /// Moves limits, levers and leases on by the time.
    pub fn step(&self) {
        self.shared.step();
    }

    /// The report since the last call; once a second.
    pub fn report(&self) -> GuardReport {
        self.shared.report()
    }

    /// Other keys, after a rotation: what was signed by a key that no longer counts ends at once.
    pub fn set_keyring(&self, keyring: Keyring) {
        self.shared.set_keyring(keyring);
    }

    /// Other clamps, from now on.
    pub fn set_clamps(&self, clamps: Clamps) {
        self.shared.control().subscriber.set_clamps(clamps);
        self.shared.step();
    }

    /// The client side towards `callee`, made when it is first asked for.
    pub fn callee(&self, callee: &str) -> Callee {
        let shared = &self.shared;
        shared.callees.get(callee).unwrap_or_else(|| {
            let control = shared.control();
            shared.callees.make(callee, &shared.settings, &shared.clock, &shared.events, &control.in_force)
        })
    }

    /// The degradation level; 0 is everything on.
    pub fn kill_level(&self) -> u8 {
        self.shared.table.load().kill_level
    }

    /// Is a feature on that goes off from degradation level `off_from`? One with `off_from` 0 is never switched off.
    pub fn allows(&self, off_from: u8) -> bool {
        off_from == 0 || self.kill_level() < off_from
    }

    /// The table that decides now.
    pub fn table(&self) -> Arc<Table> {
        self.shared.table.load_full()
    }

    /// How things stand, for `/health`.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// The same in Prometheus' text format, for `/metrics`.
    pub fn metrics(&self) -> String {
        crate::metrics::text(&self.shared)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.listen()
    }

    /// The settings, as they are in force.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The clock that the guard goes by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What admission is asked for a request with these labels: the class and cost of its operation by the settings, and
    /// whether the operation is never shed.
    pub fn request(&self, labels: &Labels, operation: &str) -> Request {
        self.shared.settings.server.request(labels, operation, random())
    }
}

/// What became of a request at the door.
pub(crate) enum Entered {
    Admitted(Permit<'static>),
    Refused(Refusal),
    Waits(Waiter),
}

/// A request that waits for its turn. Dropping it gives the turn back.
pub(crate) struct Waiter {
    shared: Arc<Shared>,
    told: Option<oneshot::Receiver<Result<(), Refusal>>>,
    request: Request,
    since_us: u64,
}

impl Waiter {
    async fn wait(mut self) -> Result<Permit<'static>, Refusal> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Permit<'static>, Refusal>> {
        use std::task::Poll;
        let never = Refusal {
            reason: Reason::Purged,
            retry: Retry::Never,
            criticality: self.request.criticality,
            waited_ms: 0,
        };
        let Some(told) = &mut self.told else { return Poll::Ready(Err(never)) };
        let Poll::Ready(verdict) = std::future::Future::poll(std::pin::Pin::new(told), context) else {
            return Poll::Pending;
        };
        self.told = None;
        // a queue that is gone tells nobody
        Poll::Ready(verdict.unwrap_or(Err(never)).map(|()| {
            let now_us = self.shared.clock.now_us();
            self.shared.counts.admitted(self.request.criticality.index(), self.shared.counts.glance());
            let waited_ms = u32::try_from(now_us.saturating_sub(self.since_us) / 1000).unwrap_or(u32::MAX);
            Permit::new(Held::Owned(self.shared.clone()), self.request.cost.max(1), now_us, waited_ms)
        }))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(mut told) = self.told.take() {
            told.close();
            if let Ok(Ok(())) = told.try_recv() {
                self.shared.leave(self.request.cost.max(1));
            }
        }
    }
}
