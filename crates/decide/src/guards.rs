//! What guards say: who obeys, which knobs there are, how long the queue is. Bounded; what falls silent is forgotten.

use model::{Command, CommandId, GuardReport, Knob};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A guard that has said nothing for this long is not counted.
pub const SILENT_AFTER_MS: u64 = 5_000;
/// The most instances that are kept; more are ignored until one falls silent.
const INSTANCES_MAX: usize = 20_000;
/// The weight of the newest report in what is smoothed.
const BUSY_WEIGHT: f64 = 0.3;

/// Guards by service and instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    services: BTreeMap<String, BTreeMap<String, Guard>>,
    instances: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Guard {
    heard_ms: u64,
    queue_delay_ms: u32,
    workers: u32,
    /// Requests in flight, smoothed over a few seconds.
    busy: f64,
    shed: u32,
    admitted: u32,
    knobs: Vec<Knob>,
    /// Commands it has, with their sequence.
    obeyed: BTreeMap<CommandId, u64>,
}

/// How many instances of a service report, and how many of them obey a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Obeying {
    /// Instances that report.
    pub reporting: u32,
    /// Of these, instances that say they obey.
    pub obeying: u32,
}

impl Guards {
    /// Takes in a report that arrived at `now_ms`.
    pub fn hear(&mut self, report: &GuardReport, now_ms: u64) {
        let known = self.services.get(&report.service).and_then(|guards| guards.get(&report.instance));
        let now = f64::from(report.in_flight);
        let busy = known.map_or(now, |guard| guard.busy + BUSY_WEIGHT * (now - guard.busy));
        if known.is_none() {
            if self.instances >= INSTANCES_MAX {
                return;
            }
            self.instances += 1;
        }
        let guard = Guard {
            heard_ms: now_ms,
            queue_delay_ms: report.queue_delay_ms,
            workers: report.workers,
            busy,
            shed: report.shed.iter().fold(0, |sum, shed| sum.saturating_add(*shed)),
            admitted: report.admitted.iter().fold(0, |sum, admitted| sum.saturating_add(*admitted)),
            knobs: report.knobs.clone(),
            obeyed: report.obeyed.iter().map(|obeyed| (obeyed.id.clone(), obeyed.sequence)).collect(),
        };
        self.services.entry(report.service.clone()).or_default().insert(report.instance.clone(), guard);
    }

    /// Forgets guards that have been silent.
    pub fn forget_silent(&mut self, now_ms: u64) {
        for guards in self.services.values_mut() {
            guards.retain(|_, guard| guard.heard_ms + SILENT_AFTER_MS >= now_ms);
        }
        self.services.retain(|_, guards| !guards.is_empty());
        self.instances = self.services.values().map(BTreeMap::len).sum();
    }

    /// Does any guard of `service` report?
    pub fn reports(&self, service: &str) -> bool {
        self.services.contains_key(service)
    }

    /// Does a guard of `service` have the knob? `None` where no guard says what it has.
    pub fn has_knob(&self, service: &str, knob: Knob) -> Option<bool> {
        let guards = self.services.get(service)?;
        let mut telling = guards.values().filter(|guard| !guard.knobs.is_empty()).peekable();
        telling.peek()?;
        Some(telling.any(|guard| guard.knobs.contains(&knob)))
    }

    /// Who obeys `id` among the instances of `service`.
    pub fn obeying(&self, service: &str, id: &CommandId) -> Obeying {
        let Some(guards) = self.services.get(service) else { return Obeying::default() };
        let obeying = guards.values().filter(|guard| guard.obeyed.contains_key(id)).count();
        Obeying { reporting: guards.len() as u32, obeying: obeying as u32 }
    }

    /// Is there a guard of `service` that reports, and has not heard of `id` in this sequence?
    pub fn is_behind(&self, service: &str, id: &CommandId, sequence: u64) -> bool {
        let has = |guard: &Guard| guard.obeyed.get(id).is_some_and(|heard| *heard >= sequence);
        self.services.get(service).is_some_and(|guards| guards.values().any(|guard| !has(guard)))
    }

    /// The longest queue delay that a guard of `service` reports, milliseconds.
    pub fn queue_delay_ms(&self, service: &str) -> Option<f64> {
        let guards = self.services.get(service)?;
        guards.values().map(|guard| guard.queue_delay_ms).max().map(f64::from)
    }

    /// Requests that guards of `service` shed in their last second, and those they admitted.
    pub fn shed_and_admitted(&self, service: &str) -> Option<(f64, f64)> {
        let guards = self.services.get(service)?;
        let sum = |pick: fn(&Guard) -> u32| guards.values().map(|guard| f64::from(pick(guard))).sum();
        Some((sum(|guard| guard.shed), sum(|guard| guard.admitted)))
    }

    /// The share of workers that are busy in the instances of `service` that report, `except` one; `None` if none is left,
    /// or one of them does not know how many requests it can work on.
    pub fn busy_share(&self, service: &str, except: Option<&str>) -> Option<f64> {
        let guards = self.services.get(service)?.iter();
        let others = guards.filter(|(instance, _)| except != Some(instance.as_str())).map(|(_, guard)| guard);
        let (busy, workers) = others.fold((0.0, 0.0), |(busy, workers), guard| {
            let own = if guard.workers == u32::MAX { f64::NAN } else { f64::from(guard.workers) };
            (busy + guard.busy, workers + own)
        });
        (workers > 0.0).then(|| busy / workers)
    }

    /// Workers of all reporting instances of `service`.
    pub fn workers(&self, service: &str) -> Option<u32> {
        let guards = self.services.get(service)?;
        Some(guards.values().fold(0u32, |sum, guard| sum.saturating_add(guard.workers)))
    }
}

/// The service whose guards carry a command out: for an edge the caller.
pub fn carrier(target: &model::Target) -> &str {
    target.caller.as_deref().unwrap_or(&target.service)
}

/// The service whose guards carry `command` out.
pub fn carrier_of(command: &Command) -> &str {
    carrier(&command.target)
}
