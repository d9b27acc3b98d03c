//! The client side: for each callee a breaker, a retry budget and a timeout, which commands may tighten.
//!
//! [`Callee::call`] is one call with all its tries; the tower layer is a thin shell around it.

mod all;
mod call;
mod end;
mod machines;

pub(crate) use all::Callees;
pub use call::{Attempt, Call};
pub use end::{End, Stopped};
pub use machines::{CalleeState, StoppedCounts};

use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::random::random;
use crate::settings::{ClientSettings, Settings};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use admission::{BreakerConfig, Ramp, Ticket, Turn};
use control::{InForce, instance_share};
use machines::Machines;
use model::{Criticality, Setting, Target};
use std::sync::Arc;

/// How long an instance's turn to probe for the whole fleet lasts, of a hundred, milliseconds.
const TURN_MS: u32 = 100;

/// One callee of this service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Callee {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    settings: ClientSettings,
    clock: Clock,
    events: Events,
    machines: Mutex<Machines>,
}

impl Callee {
    fn new(name: &str, settings: &Settings, clock: Clock, events: Events) -> Callee {
        // what stands under `callees` was looked at when the guard was made
        let own = settings.towards(name).unwrap_or_else(|_| settings.client.clone());
        let turn = Turn { place: u32::from(instance_share(&settings.instance)), places: 100, slot_ms: TURN_MS };
        let ramp = Ramp { length_ms: settings.ramp_ms, ..Ramp::default() };
        let machines = Mutex::new(Machines::new(&own, turn, ramp, random()));
        Callee { inner: Arc::new(Inner { name: name.to_owned(), settings: own, clock, events, machines }) }
    }

    /// The callee's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The clock that its deadlines go by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// How things stand.
    pub fn state(&self) -> CalleeState {
        self.machines().state(self.inner.clock.now_ms())
    }

    /// Other thresholds for the breaker, or another mode (forced open, forced closed, disabled, metrics only), from now on.
    /// Nothing that was counted is lost; a command that tightens a threshold still does.
    pub fn set_breaker(&self, config: BreakerConfig) {
        let now_ms = self.inner.clock.now_ms();
        let mut machines = self.machines();
        machines.set_breaker(config, now_ms);
        self.tell(&mut machines, now_ms);
    }

    /// Turns the knobs to what is in force.
    fn obey(&self, in_force: &[InForce], now_ms: u64) {
        let mine = |knob| {
            let all = in_force.iter().filter(|force| self.is_meant_by(&force.target)).map(|force| force.setting);
            all.filter(|setting| setting.knob() == knob).reduce(Setting::stricter)
        };
        let mut machines = self.machines();
        machines.obey(mine, now_ms);
        self.tell(&mut machines, now_ms);
    }

    /// An edge means the callee, a service all of its calls.
    fn is_meant_by(&self, target: &Target) -> bool {
        target.caller.is_none() || (target.service == self.inner.name && target.operation.is_none())
    }

    /// The callee says how much of its capacity it uses, in 1/1000 (the header `stopbank-load` of its answers): the retry
    /// budget shrinks to its headroom.
    pub fn heard_load(&self, permille: u16) {
        self.machines().heard_load(permille, self.inner.clock.now_ms());
    }

    /// May a call be sent a second time before the first is answered? Only in calm: the breaker closed, nothing commanded,
    /// nothing refused, the callee not busy; and the retry budget pays.
    pub fn may_hedge(&self, class: Criticality) -> bool {
        self.machines().may_hedge(class, self.inner.clock.now_ms())
    }

    fn begin(&self, class: Criticality, is_first: bool, now_ms: u64) -> Result<(Ticket, u32), Stopped> {
        let random = [random(), random()];
        let mut machines = self.machines();
        let begun = machines.begin(class, is_first, now_ms, random);
        self.tell(&mut machines, now_ms);
        begun
    }

    fn end(&self, class: Criticality, ticket: Ticket, end: End, took_ms: u64, now_ms: u64) {
        let mut machines = self.machines();
        machines.end(class, ticket, end, took_ms, now_ms, random());
        self.tell(&mut machines, now_ms);
    }

    /// Tells a change of phase while the lock is held, so that changes are told in their order.
    fn tell(&self, machines: &mut Machines, now_ms: u64) {
        if let Some((before, phase, reason)) = machines.change(now_ms) {
            self.inner.events.tell(Event::Breaker { callee: self.inner.name.clone(), before, phase, reason });
        }
    }

    fn machines(&self) -> MutexGuard<'_, Machines> {
        self.inner.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
