//! Hysteresis: demand is back at a level that was once served, and goodput is still down.
//!
//! The model-free sign of a metastable failure (design §5.1; HotOS'21 "Metastable Failures in Distributed Systems"): per
//! entry, the highest load that was served well is remembered; after demand exceeded it and came back below 95 % of it,
//! less than half of the requests succeed for ten windows. Rates are the flows', with their half-life (15 s by default), so
//! this comes some 45 s after demand is back: a late but model-free confirmation.

use crate::Scene;
use crate::suspicion::{Suspicion, fact_of_service, margin};
use model::{NameId, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A window is served well from this share of good requests on.
const SERVED_SHARE: f64 = 0.95;
/// Goodput is down below this share.
const DOWN_SHARE: f64 = 0.5;
/// Demand is back below this share of the served level.
const BACK_SHARE: f64 = 0.95;
/// Windows in which it must hold: a backlog that drains by itself needs time.
const HOLD: u32 = 10;
/// Demand above the served level is remembered for this many windows.
const OVERLOAD_MEMORY: u32 = 300;
/// The served level fades by this share per window, so that a peak of last week is no promise.
const FADE: f64 = 1e-4;
/// Requests per second below which an entry is no evidence.
const RATE_MIN_RPS: f64 = 5.0;
/// Entries at most.
const ENTRIES_MAX: usize = 256;

/// What each entry has served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Served {
    entries: BTreeMap<NameId, Entry>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Entry {
    served_rps: f64,
    /// Windows since demand was last above the served level without being served; zero for never.
    overloaded_for: u32,
}

impl Served {
    pub(crate) fn look(&mut self, scene: &Scene<'_>) -> Vec<Suspicion> {
        let mut now: BTreeMap<NameId, (f64, f64)> = BTreeMap::new();
        for (key, flow) in scene.graph.flows() {
            let sums = now.entry(key.entry).or_default();
            sums.0 += flow.requests_rps();
            sums.1 += flow.good_rps();
        }
        self.entries.retain(|id, _| now.contains_key(id));
        let mut found = Vec::new();
        for (id, (offered, good)) in now {
            if offered < RATE_MIN_RPS || (self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&id)) {
                continue;
            }
            let entry = self.entries.entry(id).or_default();
            entry.step(offered, good / offered);
            if entry.is_stuck(offered, good / offered) {
                found.push(suspicion(scene, id, entry.served_rps, offered, good));
            }
        }
        found
    }
}

impl Entry {
    fn step(&mut self, offered: f64, share: f64) {
        self.served_rps *= 1.0 - FADE;
        if share >= SERVED_SHARE {
            self.served_rps = self.served_rps.max(offered);
            self.overloaded_for = 0;
        } else if self.served_rps > 0.0 && offered > self.served_rps {
            self.overloaded_for = 1;
        } else if self.overloaded_for > 0 {
            self.overloaded_for = (self.overloaded_for + 1) % OVERLOAD_MEMORY;
        }
    }

    fn is_stuck(&self, offered: f64, share: f64) -> bool {
        self.overloaded_for > 1 && offered <= self.served_rps * BACK_SHARE && share < DOWN_SHARE
    }
}

fn suspicion(scene: &Scene<'_>, id: NameId, served: f64, offered: f64, good: f64) -> Suspicion {
    let name = scene.graph.name(id);
    Suspicion {
        signature: Signature::Hysteresis,
        subject: name.clone(),
        service: id,
        origin: None,
        affected: [id].into(),
        summary: format!("{name} once served {served:.0} requests/s; now {offered:.0} come and {good:.0} succeed"),
        evidence: vec![
            fact_of_service(scene, id, "goodput_rps", good, offered * DOWN_SHARE),
            fact_of_service(scene, id, "offered_rps", offered, served),
        ],
        strength: 1.8 + margin(offered * DOWN_SHARE, good.max(1e-3)),
        hold: HOLD,
        predicts: format!("goodput of {name} stays down at a load that it can serve"),
    }
}
