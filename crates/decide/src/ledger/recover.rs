//! Recovery in order: demand first and step by step (by trial: see `trial`), retries once the queue has drained, bounds last;
//! leaves before what calls them. If the evidence returns on the way, everything is held again (see `consider`).

use super::{Key, Ledger, Outcome, Phase, settle::describe, steps};
use crate::gates::Telemetry;
use crate::order::{Stage, stage};
use crate::policy::Policy;
use model::{AuditKind, Knob, KnobKind};

impl Ledger {
    /// Lets leases fade whose evidence is gone, and takes the steps of release that are due.
    pub(super) fn recover(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        if self.telemetry == Telemetry::Thin {
            return; // blind: neither absence of evidence nor a relapse could be seen
        }
        self.fade(policy, out);
        self.try_more(policy, out);
        let due: Vec<Key> =
            self.leases.iter().filter(|(key, _)| self.is_due(key, policy)).map(|(k, _)| k.clone()).collect();
        for key in due {
            self.step(&key, policy, out);
        }
    }

    /// The evidence has been gone for long enough.
    fn fade(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        let now_ms = self.now_ms;
        let mut faded = Vec::new();
        for (key, lease) in self.leases.iter_mut().filter(|(_, lease)| lease.phase == Phase::Held) {
            let relapses = self.incidents.get(&lease.about).map_or(0, |running| running.relapses);
            if now_ms >= lease.evidence_ms + (policy.pace.calm_ms << relapses) && key.1.kind() != KnobKind::OneShot {
                lease.phase = Phase::Fading { stepped_ms: now_ms };
                faded.push(key.clone());
            }
        }
        for key in faded {
            let lease = &self.leases[&key];
            let text = "the evidence is gone: it is let go when its turn comes".to_owned();
            out.push(self.audit_lease(AuditKind::Changed, &key, lease, text));
        }
    }

    /// Is it this lease's turn, and time for a step?
    fn is_due(&self, key: &Key, policy: &Policy) -> bool {
        let lease = &self.leases[key];
        let Phase::Fading { stepped_ms } = lease.phase else { return false };
        if self.now_ms < stepped_ms + policy.pace.release_step_ms || key.1.kind() == KnobKind::OneShot {
            return false;
        }
        let own = stage(key.1);
        if own != Stage::Admit && !lease.drained {
            return false;
        }
        if key.1 == Knob::Admission {
            return !self.is_under_trial(lease);
        }
        let mut others = self.leases.iter().filter(|(other, _)| *other != key && other.1.kind() != KnobKind::OneShot);
        let before = others.any(|(other, before)| {
            let earlier = stage(other.1) < own || (stage(other.1) == own && before.distance < lease.distance);
            earlier && before.about == lease.about && own != Stage::Admit
        });
        !before
    }

    fn step(&mut self, key: &Key, policy: &Policy, out: &mut Vec<Outcome>) {
        let Some(mut lease) = self.leases.remove(key) else { return };
        let next = lease.sent.as_ref().and_then(|sent| steps::release(sent.setting, &lease.mix, &policy.pace));
        match next {
            Some(setting) => {
                lease.allowed = setting;
                lease.phase = Phase::Fading { stepped_ms: self.now_ms };
                let mode = lease.sent.as_ref().map(|sent| sent.mode).unwrap_or_default();
                out.push(self.audit_lease(AuditKind::Changed, key, &lease, format!("eased: {}", describe(setting))));
                out.extend(self.resend(key, &mut lease, mode, policy));
                self.leases.insert(key.clone(), lease);
            }
            None => {
                out.extend(self.released(key, &lease, policy));
                let text = "released: the evidence is gone and it is its turn".to_owned();
                out.push(self.audit_lease(AuditKind::Released, key, &lease, text));
                self.approved.remove(&lease.id);
                // Whoever is next in the same incident waits a step of its own.
                for (_, other) in self.leases.iter_mut().filter(|(other, rest)| {
                    rest.about == lease.about && (stage(other.1), rest.distance) > (stage(key.1), lease.distance)
                }) {
                    if let Phase::Fading { stepped_ms } = &mut other.phase {
                        *stepped_ms = self.now_ms;
                    }
                }
            }
        }
    }
}
