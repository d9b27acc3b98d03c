//! Stopping gently: a frozen engine keeps what is in force as it is, a ramped-down one lets it go step by step. Neither
//! begins or tightens anything; whoever wants everything gone at once disarms.

use super::{Key, Ledger, Outcome, settle::describe, steps};
use crate::order::stage;
use crate::policy::Policy;
use model::{AuditKind, Command, KnobKind, Mode, Order};
use serde::{Deserialize, Serialize};

/// How a disarmed engine treats what was in force when it was stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StandDown {
    /// It was released.
    #[default]
    Released,
    /// It stays as it is.
    Frozen {
        /// Since when, Unix milliseconds.
        since_ms: u64,
    },
    /// It is let go step by step.
    Ramping {
        /// When the last step was taken, Unix milliseconds.
        stepped_ms: u64,
    },
}

impl Ledger {
    pub(super) fn freeze(&mut self, order: &Order, policy: &Policy) -> Vec<Outcome> {
        let mut out = self.stop_beginning(order, policy);
        self.standing_down = StandDown::Frozen { since_ms: self.now_ms };
        let text = format!(
            "frozen: {} commands stay as they are for at most {} s, nothing new until armed",
            self.leases.len() + self.holds.len(),
            policy.max_hold_ms / 1000
        );
        out.insert(0, self.ordered(order, AuditKind::Mode, None, text));
        out
    }

    pub(super) fn ramp_down(&mut self, order: &Order, policy: &Policy) -> Vec<Outcome> {
        let mut out = self.stop_beginning(order, policy);
        let text = format!(
            "ramped down: {} commands are let go step by step, nothing new until armed",
            self.leases.len() + self.holds.len()
        );
        out.insert(0, self.ordered(order, AuditKind::Mode, None, text));
        for (key, hold) in std::mem::take(&mut self.holds) {
            let command = self.hold_command(&key, &hold, policy);
            out.push(Outcome::Command(Command { setting: None, ..command }));
        }
        self.standing_down = StandDown::Ramping { stepped_ms: 0 };
        self.stand_down(policy, &mut out);
        out
    }

    /// Only what acts is left, and it stays what it is.
    fn stop_beginning(&mut self, order: &Order, policy: &Policy) -> Vec<Outcome> {
        self.disarmed_by = Some(order.by.clone());
        let mut out = Vec::new();
        let idle: Vec<Key> =
            self.leases.iter().filter(|(_, lease)| !lease.acts()).map(|(key, _)| key.clone()).collect();
        for key in idle {
            out.extend(self.drop_lease(&key, policy));
        }
        out
    }

    /// What is due while the engine is stopped.
    pub(super) fn stand_down(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        match self.standing_down {
            StandDown::Released => {}
            StandDown::Frozen { since_ms } => {
                self.settle_holds(policy, out);
                self.renew_unchanged(policy, out);
                if self.now_ms >= since_ms + policy.max_hold_ms {
                    self.standing_down = StandDown::Ramping { stepped_ms: self.now_ms };
                    let text = "frozen for as long as leases are held without evidence: ramped down now".to_owned();
                    out.push(Outcome::Audit(self.audit(AuditKind::Mode, "freeze", text)));
                }
            }
            StandDown::Ramping { stepped_ms } => {
                self.settle_holds(policy, out);
                if self.now_ms >= stepped_ms + policy.pace.release_step_ms {
                    self.standing_down = StandDown::Ramping { stepped_ms: self.now_ms };
                    self.step_down(policy, out);
                }
                self.renew_unchanged(policy, out);
            }
        }
    }

    /// Leases are renewed at a third of their time, as always; evidence is not asked for.
    fn renew_unchanged(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        let renewal_ms = u64::from(policy.lease_ttl_ms) / 3;
        let due = |at_ms: u64| self.now_ms >= at_ms + renewal_ms;
        let keys = self.leases.iter().filter(|(key, _)| key.1.kind() != KnobKind::OneShot);
        let keys = keys.filter(|(_, lease)| lease.sent.as_ref().is_some_and(|sent| due(sent.at_ms)));
        for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let Some(mut lease) = self.leases.remove(&key) else { continue };
            lease.allowed = lease.sent.as_ref().map_or(lease.allowed, |sent| sent.setting);
            out.extend(self.resend(&key, &mut lease, Mode::Act, policy));
            self.leases.insert(key, lease);
        }
    }

    /// One step of everything whose turn it is: demand first, retries second, bounds last, as in a recovery.
    fn step_down(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        let Some(turn) = self.leases.keys().map(|key| stage(key.1)).min() else { return };
        let keys: Vec<Key> = self.leases.keys().filter(|key| stage(key.1) == turn).cloned().collect();
        for key in keys {
            let Some(mut lease) = self.leases.remove(&key) else { continue };
            let next = lease.sent.as_ref().and_then(|sent| steps::release(sent.setting, &lease.mix, &policy.pace));
            let Some(setting) = next else {
                out.extend(self.released(&key, &lease, policy));
                let text = "released: the engine is ramped down".to_owned();
                out.push(self.audit_lease(AuditKind::Released, &key, &lease, text));
                self.approved.remove(&lease.id);
                continue;
            };
            lease.allowed = setting;
            out.push(self.audit_lease(AuditKind::Changed, &key, &lease, format!("eased: {}", describe(setting))));
            out.extend(self.resend(&key, &mut lease, Mode::Act, policy));
            self.leases.insert(key, lease);
        }
    }
}
