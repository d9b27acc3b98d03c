//! What a subject takes over from the one before it: after a rename, or with a new version.
//!
//! What was normal is normal still, but less surely: spreads are twice as wide and the estimate moves as fast as just after its
//! warm-up, so that it narrows again where nothing has changed.

use crate::{Learner, Subject};
use model::{EdgeId, NameId};

impl Learner {
    /// `young` is what `old` was, under another name. Where something is known of `young` already, or nothing of `old`,
    /// nothing happens. Says whether anything did.
    pub fn inherit(&mut self, old: Subject, young: Subject) -> bool {
        match (old, young) {
            (Subject::Service(old), Subject::Service(young)) => self.inherit_service(old, young),
            (Subject::Edge(old), Subject::Edge(young)) => self.inherit_edge(old, young),
            _ => false,
        }
    }

    fn inherit_service(&mut self, old: NameId, young: NameId) -> bool {
        if self.judged_ns(Subject::Service(young)).is_some() {
            return false;
        }
        let Some((signals, healthy)) = self.services.get(&old).map(|known| (&known.signals, &known.healthy)) else {
            return false;
        };
        let (signals, healthy) = (signals.widened(|signal| self.config.baseline(signal)), healthy.clone());
        if !self.services.contains_key(&young) && self.services.len() >= self.config.services_max {
            return false;
        }
        let known = self.services.entry(young).or_default();
        (known.signals, known.healthy) = (signals, healthy);
        true
    }

    fn inherit_edge(&mut self, old: EdgeId, young: EdgeId) -> bool {
        if self.judged_ns(Subject::Edge(young)).is_some() {
            return false;
        }
        let Some(signals) =
            self.edges.get(&old).map(|known| known.signals.widened(|signal| self.config.baseline(signal)))
        else {
            return false;
        };
        if !self.edges.contains_key(&young) && self.edges.len() >= self.config.edges_max {
            return false;
        }
        self.edges.entry(young).or_default().signals = signals;
        true
    }

    /// Another version of the subject runs: what is normal may change.
    pub fn widen(&mut self, subject: Subject) {
        let config = &self.config;
        let signals = match subject {
            Subject::Service(id) => self.services.get_mut(&id).map(|known| &mut known.signals),
            Subject::Edge(id) => self.edges.get_mut(&id).map(|known| &mut known.signals),
        };
        if let Some(signals) = signals {
            *signals = signals.widened(|signal| config.baseline(signal));
        }
    }
}
