//! All callees of a guard.

use super::Callee;
use crate::clock::Clock;
use crate::event::Events;
use crate::settings::Settings;
use crate::sync::{PoisonError, RwLock};
use control::InForce;
use model::BreakerReport;
use std::collections::BTreeMap;

/// Each callee is made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    known: RwLock<BTreeMap<String, Callee>>,
}

impl Callees {
    pub(crate) fn get(&self, name: &str) -> Option<Callee> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Makes a callee; it obeys at once what is in force.
    pub(crate) fn make(
        &self,
        name: &str,
        settings: &Settings,
        clock: &Clock,
        events: &Events,
        in_force: &[InForce],
    ) -> Callee {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let make = || Callee::new(name, settings, clock.clone(), events.clone());
        let callee = known.entry(name.to_owned()).or_insert_with(make).clone();
        callee.obey(in_force, clock.now_ms());
        callee
    }

    pub(crate) fn obey(&self, in_force: &[InForce], now_ms: u64) {
        self.all().iter().for_each(|callee| callee.obey(in_force, now_ms));
    }

    pub(crate) fn all(&self) -> Vec<Callee> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn reports(&self) -> Vec<BreakerReport> {
        let report = |callee: Callee| BreakerReport { phase: callee.state().phase, callee: callee.name().to_owned() };
        self.all().into_iter().map(report).collect()
    }

    pub(crate) fn retries_refused(&self) -> u64 {
        self.all().iter().map(|callee| callee.state().retries_refused).sum()
    }
}
