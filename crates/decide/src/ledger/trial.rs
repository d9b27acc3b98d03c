//! Demand is let back in by trial, while bounds and budgets still hold and a trial that fails costs little.
//!
//! What an overloaded service can serve is not known while less is asked of it: its capacity was last seen when it was worst.
//! So demand comes back step by step as long as the service refuses nothing and its queue is short; if it refuses, what is
//! wanted holds again, and the next trial waits twice as long. A service whose own work still takes longer than normal has
//! not come back: it is asked for one step at a time, with a calm between. The evidence may be open meanwhile: findings close
//! late.

use super::consider::{QUEUE_SHARE_DRAINED, RELAPSES_MAX};
use super::{Key, Lease, Ledger, Outcome, Phase, settle::describe, steps};
use crate::measure::{INVERTED_SLACK_RPS, queue_delay_ms};
use crate::picture::Picture;
use crate::policy::Policy;
use crate::shed;
use model::{AuditKind, Knob};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An overloaded service that refuses more than this share is given too much.
const REFUSED_SHARE: f64 = 0.05;

/// What there is room for at an overloaded service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// It refuses, or work waits: for nothing more.
    #[default]
    Tight,
    /// It serves what comes, but its own work takes longer than normal.
    Slow,
    /// It serves what comes as it normally does.
    Free,
}

impl Ledger {
    /// Looks at what trials have come to by the last window, and ends those that failed.
    pub(super) fn judge_trials(&mut self, picture: &Picture, policy: &Policy, out: &mut Vec<Outcome>) {
        let abouts: Vec<String> = self.incidents.keys().cloned().collect();
        for about in abouts {
            let room = self.room(&about, picture);
            let tried = self.leases.values().any(|lease| lease.about == about && lease.eased.is_some());
            let Some(running) = self.incidents.get_mut(&about) else { continue };
            running.room = room;
            if room != Room::Tight || !tried {
                continue;
            }
            let pause_ms = policy.pace.calm_ms << running.failed;
            running.failed = (running.failed + 1).min(RELAPSES_MAX);
            running.try_ms = self.now_ms + pause_ms;
            for lease in self.leases.values_mut().filter(|lease| lease.about == about && lease.eased.is_some()) {
                (lease.eased, lease.phase, lease.evidence_ms) = (None, Phase::Held, self.now_ms);
                lease.expected_by_ms = self.now_ms + policy.pace.effect_within_ms;
            }
            let text = format!(
                "more demand was tried and {about} cannot serve it: admission is as before, next trial in {} s",
                pause_ms / 1000
            );
            out.push(Outcome::Audit(self.audit(AuditKind::Changed, &about, text)));
        }
    }

    /// By queue, refusals and pace of work.
    fn room(&self, about: &str, picture: &Picture) -> Room {
        let facts = picture.services.get(about);
        let limit_ms = picture.timeout_ms(about).map(|timeout| QUEUE_SHARE_DRAINED * timeout);
        let waits =
            queue_delay_ms(about, picture, &self.guards).zip(limit_ms).is_some_and(|(delay, limit)| delay > limit);
        let seen = facts.map(|facts| (facts.shed_rps, facts.offered_rps - facts.shed_rps));
        let (shed, admitted) = self.guards.shed_and_admitted(about).or(seen).unwrap_or_default();
        let refuses = shed > REFUSED_SHARE * (shed + admitted) && !self.is_told_to_refuse(about);
        let inverted = facts.and_then(|facts| facts.inverted).is_some_and(|inverted| inverted.rps > INVERTED_SLACK_RPS);
        if waits || refuses || inverted {
            Room::Tight
        } else if facts.is_some_and(|facts| facts.slow) {
            Room::Slow
        } else {
            Room::Free
        }
    }

    /// Is the service itself told to refuse requests? Then its refusals say nothing of the room it has.
    fn is_told_to_refuse(&self, service: &str) -> bool {
        let here = |key: &Key| key.0.service == service && key.1 == Knob::Admission;
        self.leases.iter().any(|(key, lease)| here(key) && lease.acts())
    }

    /// Takes the steps of trials that are due; all entries of an incident together.
    pub(super) fn try_more(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        let due: BTreeSet<String> =
            self.incidents.keys().filter(|about| self.may_try(about, policy)).cloned().collect();
        let admissions = self.leases.iter().filter(|(key, lease)| {
            key.1 == Knob::Admission && due.contains(&lease.about) && self.is_under_trial(lease)
        });
        let keys: Vec<_> = admissions.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(mut lease) = self.leases.remove(&key) else { continue };
            let sent = lease.sent.clone();
            if let Some((sent, next)) =
                sent.and_then(|sent| steps::release(sent.setting, &lease.mix, &policy.pace).map(|next| (sent, next)))
            {
                lease.eased = Some(next);
                lease.allowed = next;
                if let Phase::Fading { stepped_ms } = &mut lease.phase {
                    *stepped_ms = self.now_ms;
                }
                out.push(self.audit_lease(AuditKind::Changed, &key, &lease, format!("eased: {}", describe(next))));
                out.extend(self.resend(&key, &mut lease, sent.mode, policy));
            }
            self.leases.insert(key, lease);
        }
    }

    /// Is there room, and has the last step had time to show?
    fn may_try(&self, about: &str, policy: &Policy) -> bool {
        let Some(running) = self.incidents.get(about) else { return false };
        let admissions = self.leases.iter().filter(|(key, lease)| key.1 == Knob::Admission && lease.about == about);
        let changed_ms = admissions.map(|(_, lease)| lease.changed_ms).max().unwrap_or(0);
        let wait_ms = match running.room {
            Room::Tight => return false,
            Room::Slow => policy.pace.calm_ms << running.failed,
            Room::Free => policy.pace.release_step_ms,
        };
        self.now_ms >= running.try_ms && self.now_ms >= changed_ms + wait_ms
    }

    /// Does it still keep demand out?
    pub(super) fn is_under_trial(&self, lease: &Lease) -> bool {
        lease.sent.as_ref().is_some_and(|sent| sent.setting != shed::OPEN)
    }
}
