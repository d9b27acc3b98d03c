//! Sends what is due: begins, changes, renewals, withdrawals, ends. The same for a window and for a tick, so that it does
//! not matter which of the two comes first.

use super::{Key, Lease, Ledger, Outcome, Over, Phase, Running, Sent, steps};
use crate::gates::{self, Approved, Scene, Telemetry};
use crate::guards::carrier;
use crate::order::sending;
use crate::policy::Policy;
use model::{AuditKind, Command, KnobKind, Mode, Reason, Setting};

/// Leases are renewed after this part of their time, so that two renewals may be lost.
const RENEWALS_PER_TTL: u64 = 3;
const MINUTE_MS: u64 = 60_000;
/// A guard that has a command says so in its next report: what it does not have after this time was lost.
const AGAIN_AFTER_MS: u64 = 2_000;
/// A value is sent again at most so often for that.
const AGAIN_MAX: u8 = 3;
/// An overload that comes back within this time (doubled per relapse) is a relapse.
const RELAPSE_WITHIN_MS: u64 = 60_000;

/// What becomes of a lease after its turn.
enum Fate {
    Stays,
    Ends,
}

impl Ledger {
    /// Sends everything that is due.
    pub(super) fn settle(&mut self, policy: &Policy) -> Vec<Outcome> {
        let mut out = Vec::new();
        if self.disarmed_by.is_some() {
            self.stand_down(policy, &mut out);
            return out;
        }
        while self.begun_ms.front().is_some_and(|begun| begun + MINUTE_MS <= self.now_ms) {
            self.begun_ms.pop_front();
        }
        self.settle_holds(policy, &mut out);
        self.recover(policy, &mut out);
        let mut keys: Vec<Key> = self.leases.keys().cloned().collect();
        keys.sort_by_cached_key(|key| (sending(key.1), self.leases[key].distance, key.clone()));
        for key in keys {
            let Some(mut lease) = self.leases.remove(&key) else { continue };
            match self.settle_one(&key, &mut lease, policy, &mut out) {
                Fate::Stays => {
                    self.leases.insert(key, lease);
                }
                Fate::Ends => {
                    self.approved.remove(&lease.id);
                }
            }
        }
        self.forget_incidents(policy);
        out
    }

    fn settle_one(&mut self, key: &Key, lease: &mut Lease, policy: &Policy, out: &mut Vec<Outcome>) -> Fate {
        if let Some(why) = self.useless(key, lease, policy) {
            out.extend(self.released(key, lease, policy));
            self.close(&lease.id, Over::Useless);
            out.push(self.audit_lease(AuditKind::Withdrawn, key, lease, format!("withdrawn: {why}")));
            return Fate::Ends;
        }
        if self.has_run_out(key, lease, policy) {
            out.extend(self.released(key, lease, policy));
            out.push(self.audit_lease(AuditKind::Released, key, lease, run_out_reason(key)));
            return Fate::Ends;
        }
        let base = self.mode_of(key, policy);
        let base = if base != Mode::Off && self.approved.contains(&lease.id) { Mode::Act } else { base };
        if lease.acts() && base != Mode::Act {
            out.extend(self.released(key, lease, policy));
            let text = format!("released: the mode of this knob is now {base:?}").to_lowercase();
            out.push(self.audit_lease(AuditKind::Released, key, lease, text));
            lease.sent = None;
            lease.acting_since_ms = None;
        }
        if base == Mode::Off {
            out.extend(self.released(key, lease, policy));
            return Fate::Ends;
        }
        let mode = self.pass_gates(key, lease, base, policy, out);
        let fading = lease.phase != Phase::Held;
        if fading && lease.sent.is_none() {
            return Fate::Ends;
        }
        if !fading {
            self.revalue(key, lease, mode, policy, out);
        }
        self.send_if_due(key, lease, mode, policy, out);
        Fate::Stays
    }

    /// The mode in which a lease goes out: what acts goes on acting, what begins must pass every gate.
    fn pass_gates(&self, key: &Key, lease: &mut Lease, base: Mode, policy: &Policy, out: &mut Vec<Outcome>) -> Mode {
        if base != Mode::Act || lease.acts() || self.approved.contains(&lease.id) {
            lease.gate = None;
            return base;
        }
        let scene = Scene {
            limits: &policy.limits,
            leases: &self.leases,
            guards: &self.guards,
            begun: self.begun_ms.len(),
            services_total: self.services_total,
            coverage: lease.coverage,
            telemetry: self.telemetry,
        };
        match gates::may_begin(key, &lease.reason, &scene) {
            Ok(()) => {
                lease.gate = None;
                Mode::Act
            }
            Err(gate) => {
                let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
                if lease.gate.as_deref().map(name) != Some(name(&gate)) {
                    let text = format!("proposed instead of commanded: {gate}");
                    out.push(self.audit_lease(AuditKind::Gated, key, lease, text));
                    lease.gate = Some(gate);
                }
                Mode::Propose
            }
        }
    }

    /// What limits and steps allow of what is wanted; what goes beyond the limits is proposed to a person.
    fn revalue(&mut self, key: &Key, lease: &mut Lease, mode: Mode, policy: &Policy, out: &mut Vec<Outcome>) {
        let approved = if self.approved.contains(&lease.id) { Approved::Yes } else { Approved::No };
        let (bounded, gate) = match (mode, approved) {
            (Mode::Propose, _) | (_, Approved::Yes) => (lease.wanted, None),
            _ => {
                let elsewhere = self.shed_elsewhere_rps();
                gates::bounded(lease.wanted, &lease.mix, self.entry_rps, elsewhere, &policy.limits, approved)
            }
        };
        self.propose_beyond(key, lease, gate.filter(|_| mode == Mode::Act), policy, out);
        let from = lease.sent.as_ref().filter(|sent| sent.mode == mode).map(|sent| sent.setting);
        let bounded = lease.eased.map_or(bounded, |eased| crate::shed::milder(bounded, eased));
        let next = steps::toward(from, bounded, &lease.mix, &policy.pace);
        let waits = self.now_ms < lease.changed_ms + policy.pace.change_every_ms;
        let noise = from.is_some_and(|from| steps::is_noise(from, next, &lease.mix));
        let over_limit = gate_forces(from, bounded);
        if from.is_none() || over_limit || (!waits && !noise) {
            lease.allowed = if over_limit { bounded } else { next };
        }
    }

    /// Asks a person for what the limits cut off, once per value.
    fn propose_beyond(
        &mut self,
        key: &Key,
        lease: &mut Lease,
        gate: Option<String>,
        policy: &Policy,
        out: &mut Vec<Outcome>,
    ) {
        let Some(gate) = gate else {
            lease.beyond = None;
            return;
        };
        let known = lease
            .beyond
            .as_ref()
            .is_some_and(|(setting, name)| *name == gate && steps::is_noise(*setting, lease.wanted, &lease.mix));
        if known {
            return;
        }
        out.push(self.audit_lease(
            AuditKind::Gated,
            key,
            lease,
            format!("commanded in part, the rest is proposed: {gate}"),
        ));
        let reason = with_gate(&lease.reason, Some(&gate));
        let sequence = self.next_sequence();
        out.push(Outcome::Command(Command {
            id: lease.id.clone(),
            sequence,
            ttl_ms: policy.lease_ttl_ms,
            target: key.0.clone(),
            knob: key.1,
            setting: Some(lease.wanted),
            reason,
            mode: Mode::Propose,
        }));
        lease.beyond = Some((lease.wanted, gate));
    }

    fn send_if_due(&mut self, key: &Key, lease: &mut Lease, mode: Mode, policy: &Policy, out: &mut Vec<Outcome>) {
        let renewal_ms = u64::from(policy.lease_ttl_ms) / RENEWALS_PER_TTL;
        let kind = match &lease.sent {
            None => Some(begin_kind(mode)),
            Some(sent) if sent.mode != mode => Some(begin_kind(mode)),
            Some(sent) if sent.setting != lease.allowed => Some(AuditKind::Changed),
            Some(sent) if self.is_missed(key, lease, sent) => None,
            Some(_) if key.1.kind() == KnobKind::OneShot && mode == Mode::Act => return,
            Some(sent) if self.now_ms >= sent.at_ms + renewal_ms && self.may_renew(key, lease, policy) => None,
            Some(_) => return,
        };
        if mode == Mode::Act && lease.acting_since_ms.is_none() {
            self.begin_acting(key, lease, policy);
        }
        out.extend(self.resend(key, lease, mode, policy));
        if let Some(kind) = kind {
            let text = format!("{}; {}", describe(lease.allowed), lease.reason.summary);
            out.push(self.audit_lease(kind, key, lease, text));
        }
    }

    /// The lease's record with its present value.
    pub(super) fn resend(&mut self, key: &Key, lease: &mut Lease, mode: Mode, policy: &Policy) -> Option<Outcome> {
        let sequence = self.next_sequence();
        let same = lease.sent.as_ref().filter(|sent| sent.setting == lease.allowed && sent.mode == mode);
        let again = same.map_or(0, |sent| sent.again.saturating_add(1));
        if lease.sent.as_ref().is_none_or(|sent| sent.setting != lease.allowed) {
            lease.changed_ms = self.now_ms;
        }
        // More of it has not had its time to show yet.
        if lease.sent.as_ref().is_some_and(|sent| crate::shed::depth(lease.allowed) > crate::shed::depth(sent.setting))
        {
            lease.expected_by_ms = self.now_ms + policy.pace.effect_within_ms;
        }
        lease.sent = Some(Sent { at_ms: self.now_ms, setting: lease.allowed, mode, sequence, again });
        let reason = with_gate(&lease.reason, lease.gate.as_deref());
        let command = lease.command(key, sequence, policy.lease_ttl_ms)?;
        Some(Outcome::Command(Command { reason, ..command }))
    }

    fn begin_acting(&mut self, key: &Key, lease: &mut Lease, policy: &Policy) {
        lease.acting_since_ms = Some(self.now_ms);
        lease.measure_then = lease.measure_now;
        lease.expected_by_ms = self.now_ms + policy.pace.effect_within_ms;
        lease.reason.expected_by_ms = lease.expected_by_ms;
        self.begun_ms.push_back(self.now_ms);
        if key.1.kind() == KnobKind::OneShot {
            self.close(&lease.id, Over::Spent);
        }
    }

    /// Do guards that report not have what was sent? A record may be lost on its way: it is sent again, a few times, while its
    /// lease lasts. A one-shot is done at most once for its id, however often it comes.
    fn is_missed(&self, key: &Key, lease: &Lease, sent: &Sent) -> bool {
        lease.acts()
            && sent.again < AGAIN_MAX
            && self.now_ms >= sent.at_ms + AGAIN_AFTER_MS
            && self.guards.is_behind(carrier(&key.0), &lease.id, sent.sequence)
    }

    /// Fresh telemetry renews; when it thins out in the middle of an incident, guards that obey do, up to a bound.
    fn may_renew(&self, key: &Key, lease: &Lease, policy: &Policy) -> bool {
        if self.telemetry == Telemetry::Fresh {
            return true;
        }
        let held_ms = self.now_ms.saturating_sub(self.fresh_ms);
        lease.acts() && held_ms <= policy.max_hold_ms && self.guards.obeying(carrier(&key.0), &lease.id).obeying > 0
    }

    /// Its time is over and nothing renewed it.
    fn has_run_out(&self, key: &Key, lease: &Lease, policy: &Policy) -> bool {
        let begun_ms = |sent: &Sent| match key.1.kind() {
            KnobKind::OneShot => lease.acting_since_ms.unwrap_or(sent.at_ms),
            _ => sent.at_ms,
        };
        lease.sent.as_ref().is_some_and(|sent| self.now_ms >= begun_ms(sent) + u64::from(policy.lease_ttl_ms))
            && (key.1.kind() == KnobKind::OneShot || !self.may_renew(key, lease, policy))
    }

    /// Why an acting command is of no use: nobody obeys it, or it shows no effect.
    fn useless(&self, key: &Key, lease: &Lease, policy: &Policy) -> Option<String> {
        let since_ms = lease.acting_since_ms?;
        if key.1.kind() == KnobKind::OneShot || !lease.acts() {
            return None;
        }
        let share = self.guards.obeying(carrier(&key.0), &lease.id);
        if self.now_ms >= since_ms + policy.pace.obey_within_ms && share.reporting > 0 && share.obeying == 0 {
            return Some(format!("none of the {} guards of {} obeys it", share.reporting, carrier(&key.0)));
        }
        let holds = lease.phase == Phase::Held && lease.eased.is_none() && self.telemetry == Telemetry::Fresh;
        if holds && self.now_ms >= lease.expected_by_ms && !lease.has_effect() {
            let now = lease.measure_now.unwrap_or(f64::NAN);
            return Some(format!(
                "no effect by the expected time ({now:.2}, expected at most {:.2})",
                lease.measure_good
            ));
        }
        None
    }

    /// Entry requests per second that other acting admission leases shed now.
    fn shed_elsewhere_rps(&self) -> f64 {
        let acting = self.leases.values().filter(|lease| lease.acts());
        let shed = |lease: &Lease| {
            let sent = lease.sent.as_ref().map_or(crate::shed::OPEN, |sent| sent.setting);
            let total: f64 = lease.mix.iter().sum();
            crate::shed::share(sent, &lease.mix) * total
        };
        acting.map(shed).sum()
    }

    /// Incidents without leases and without evidence are over: the same overload later is a new one, but one that comes
    /// back soon has learned from it how long a calm must last.
    fn forget_incidents(&mut self, policy: &Policy) {
        let (leases, now_ms) = (&self.leases, self.now_ms);
        let is_over = |about: &String, running: &Running| {
            let quiet_until_ms = running.evidence_ms + (policy.pace.calm_ms << running.relapses);
            now_ms >= quiet_until_ms && !leases.values().any(|lease| &lease.about == about)
        };
        let over: Vec<String> = self
            .incidents
            .iter()
            .filter(|(about, running)| is_over(about, running))
            .map(|(about, _)| about.clone())
            .collect();
        for about in over {
            if let Some(running) = self.incidents.remove(&about) {
                self.ended.insert(about, (now_ms, running.relapses));
            }
        }
        self.ended.retain(|_, (ended_ms, relapses)| now_ms < *ended_ms + (RELAPSE_WITHIN_MS << *relapses));
    }
}

/// Is what is in force stricter than the limits now allow (demand changed, or an approval ended)?
fn gate_forces(from: Option<Setting>, bounded: Setting) -> bool {
    from.is_some_and(|from| crate::shed::sheds_critical_plus(from) && !crate::shed::sheds_critical_plus(bounded))
}

fn begin_kind(mode: Mode) -> AuditKind {
    if mode == Mode::Act { AuditKind::Commanded } else { AuditKind::Proposed }
}

fn with_gate(reason: &Reason, gate: Option<&str>) -> Reason {
    let mut reason = reason.clone();
    if let Some(gate) = gate {
        reason.summary = format!("{} [not commanded: {gate}]", reason.summary);
    }
    reason
}

fn run_out_reason(key: &Key) -> String {
    if key.1.kind() == KnobKind::OneShot {
        "done".to_owned()
    } else {
        "ran out: telemetry is too thin to renew it and no guard that obeys it reports".to_owned()
    }
}

/// A value in words.
pub(super) fn describe(setting: Setting) -> String {
    match setting {
        Setting::Admission { lowest, fraction_permille } => {
            format!("admit {:.1} % of {} and all above", f64::from(fraction_permille) / 10.0, lowest.as_str())
        }
        Setting::QueueBound { work_ms } => format!("at most {work_ms} ms of work waits"),
        Setting::RetryBudget { ratio_permille } => {
            format!("retries at most {:.1} % of first attempts", f64::from(ratio_permille) / 10.0)
        }
        Setting::Purge { older_than_ms } => format!("drop what has waited longer than {older_than_ms} ms"),
        Setting::Route { share_permille } => format!("{:.1} % of the usual traffic", f64::from(share_permille) / 10.0),
        other => format!("{other:?}"),
    }
}
