//! People's orders. They overtake everything: one order, one settlement, all its effects at once.

use super::{Hold, Key, Ledger, Outcome, Over, REMEMBERED_MAX, StandDown};
use crate::identity::hold_id;
use crate::policy::Policy;
use model::{
    AuditEntry, AuditKind, Command, CommandId, Knob, Mode, Order, OrderKind, Reason, Setting, Signature, Target,
};

impl Ledger {
    /// Carries out a verified order. The same order id again changes nothing.
    pub fn order(&mut self, order: &Order, policy: &Policy) -> Vec<Outcome> {
        if self.orders_seen.contains(&order.id) {
            return Vec::new();
        }
        self.orders_seen.push_back(order.id.clone());
        if self.orders_seen.len() > REMEMBERED_MAX {
            self.orders_seen.pop_front();
        }
        match &order.kind {
            OrderKind::Disarm => self.disarm(order, policy),
            OrderKind::Arm => self.arm(order),
            OrderKind::SetMode { mode } => self.set_mode(order, *mode, policy),
            OrderKind::Approve { command } => self.approve(order, &CommandId(command.clone()), policy),
            OrderKind::Refuse { command } => self.refuse(order, &CommandId(command.clone()), policy),
            OrderKind::Hold { target, setting, ttl_ms } => self.hold(order, target, *setting, *ttl_ms, policy),
            OrderKind::Release { target, knob } => self.let_go(order, target, *knob, policy),
            OrderKind::Freeze => self.freeze(order, policy),
            OrderKind::RampDown => self.ramp_down(order, policy),
        }
    }

    fn disarm(&mut self, order: &Order, policy: &Policy) -> Vec<Outcome> {
        let leases = std::mem::take(&mut self.leases);
        let holds = std::mem::take(&mut self.holds);
        let text = format!("disarmed: {} commands are released, nothing new until armed", leases.len() + holds.len());
        let mut out = vec![self.ordered(order, AuditKind::Mode, None, text)];
        for (key, lease) in &leases {
            out.extend(self.released(key, lease, policy));
        }
        for (key, hold) in &holds {
            let command = self.hold_command(key, hold, policy);
            out.push(Outcome::Command(Command { setting: None, ..command }));
        }
        self.incidents.clear();
        self.approved.clear();
        self.disarmed_by = Some(order.by.clone());
        self.standing_down = StandDown::Released;
        out
    }

    fn arm(&mut self, order: &Order) -> Vec<Outcome> {
        self.disarmed_by = None;
        self.standing_down = StandDown::Released;
        vec![self.ordered(
            order,
            AuditKind::Mode,
            None,
            "armed: commands may be sent as far as the mode allows".to_owned(),
        )]
    }

    fn set_mode(&mut self, order: &Order, mode: Mode, policy: &Policy) -> Vec<Outcome> {
        self.mode_set = Some(mode);
        let mut out = vec![self.ordered(
            order,
            AuditKind::Mode,
            None,
            format!("the mode of everything is {mode:?}").to_lowercase(),
        )];
        out.extend(self.settle(policy));
        out
    }

    fn approve(&mut self, order: &Order, id: &CommandId, policy: &Policy) -> Vec<Outcome> {
        if self.disarmed_by.is_some() {
            let text = "not carried out: the engine is disarmed".to_owned();
            return vec![self.ordered(order, AuditKind::Order, Some(id), text)];
        }
        if !self.leases.values().any(|lease| &lease.id == id) {
            let text = "not carried out: no such command is proposed".to_owned();
            return vec![self.ordered(order, AuditKind::Order, Some(id), text)];
        }
        self.approved.insert(id.clone());
        for lease in self.leases.values_mut().filter(|lease| &lease.id == id) {
            lease.changed_ms = 0;
        }
        let mut out = vec![self.ordered(order, AuditKind::Order, Some(id), "approved".to_owned())];
        out.extend(self.settle(policy));
        out
    }

    fn refuse(&mut self, order: &Order, id: &CommandId, policy: &Policy) -> Vec<Outcome> {
        let text = "refused: released, and not proposed again in this incident".to_owned();
        let mut out = vec![self.ordered(order, AuditKind::Order, Some(id), text)];
        self.close(id, Over::Refused);
        self.approved.remove(id);
        let key = self.leases.iter().find(|(_, lease)| &lease.id == id).map(|(key, _)| key.clone());
        if let Some(key) = key {
            out.extend(self.drop_lease(&key, policy));
        }
        out
    }

    fn hold(&mut self, order: &Order, target: &Target, setting: Setting, ttl_ms: u32, policy: &Policy) -> Vec<Outcome> {
        if self.disarmed_by.is_some() {
            return vec![self.ordered(
                order,
                AuditKind::Order,
                None,
                "not carried out: the engine is disarmed".to_owned(),
            )];
        }
        let key: Key = (target.clone(), setting.knob());
        let id = hold_id(&policy.domain, &order.id, &key.0, key.1);
        let text = format!("{}/{} is held by {} for {ttl_ms} ms", key.0, key.1.as_str(), order.by);
        let mut out = vec![self.ordered(order, AuditKind::Order, Some(&id), text)];
        // The person's record has the same key and a later sequence: it replaces the engine's without a gap.
        let acted = self.leases.get(&key).is_some_and(|lease| lease.acts());
        if !acted {
            out.extend(self.drop_lease(&key, policy));
        }
        self.leases.remove(&key);
        let until_ms = self.now_ms.saturating_add(u64::from(ttl_ms));
        let hold = Hold { id, by: order.by.clone(), note: order.note.clone(), setting, until_ms, sent_ms: 0 };
        self.holds.insert(key, hold);
        self.settle_holds(policy, &mut out);
        out
    }

    fn let_go(&mut self, order: &Order, target: &Target, knob: Knob, policy: &Policy) -> Vec<Outcome> {
        let key: Key = (target.clone(), knob);
        let text = format!("{target}/{} is let go", knob.as_str());
        let mut out = vec![self.ordered(order, AuditKind::Order, None, text)];
        if let Some(hold) = self.holds.remove(&key) {
            let command = self.hold_command(&key, &hold, policy);
            out.push(Outcome::Command(Command { setting: None, ..command }));
        }
        if let Some(id) = self.leases.get(&key).map(|lease| lease.id.clone()) {
            self.close(&id, Over::Refused);
            self.approved.remove(&id);
            out.extend(self.drop_lease(&key, policy));
        }
        out
    }

    /// Sends, renews and ends what people hold.
    pub(super) fn settle_holds(&mut self, policy: &Policy, out: &mut Vec<Outcome>) {
        let keys: Vec<Key> = self.holds.keys().cloned().collect();
        for key in keys {
            let Some(mut hold) = self.holds.remove(&key) else { continue };
            if self.now_ms >= hold.until_ms {
                let command = self.hold_command(&key, &hold, policy);
                out.push(Outcome::Command(Command { setting: None, ..command }));
                continue;
            }
            let once = key.1.kind() == model::KnobKind::OneShot;
            let due = self.now_ms >= hold.sent_ms + u64::from(policy.lease_ttl_ms) / 3 && !once;
            if hold.sent_ms == 0 || due {
                out.push(Outcome::Command(self.hold_command(&key, &hold, policy)));
                hold.sent_ms = self.now_ms.max(1);
            }
            self.holds.insert(key, hold);
        }
    }

    pub(super) fn hold_command(&mut self, key: &Key, hold: &Hold, policy: &Policy) -> Command {
        let left_ms = hold.until_ms.saturating_sub(self.now_ms).min(u64::from(policy.lease_ttl_ms)).max(1);
        Command {
            id: hold.id.clone(),
            sequence: self.next_sequence(),
            ttl_ms: left_ms as u32,
            target: key.0.clone(),
            knob: key.1,
            setting: Some(hold.setting),
            reason: Reason {
                signature: Signature::Manual,
                summary: format!("held by {}: {}", hold.by, hold.note),
                confidence: 1.0,
                expected: "what the person who holds it expects".to_owned(),
                expected_by_ms: hold.until_ms,
                undone_by: format!("an order to release it, or its end at {} ms", hold.until_ms),
                ..Reason::default()
            },
            mode: Mode::Act,
        }
    }

    pub(super) fn drop_lease(&mut self, key: &Key, policy: &Policy) -> Option<Outcome> {
        let lease = self.leases.remove(key)?;
        self.released(key, &lease, policy)
    }

    pub(super) fn ordered(&self, order: &Order, kind: AuditKind, command: Option<&CommandId>, text: String) -> Outcome {
        let note = if order.note.is_empty() { String::new() } else { format!(" ({})", order.note) };
        Outcome::Audit(AuditEntry {
            command: command.cloned(),
            by: Some(order.by.clone()),
            ..self.audit(kind, &order.id, format!("{text}{note}"))
        })
    }
}
