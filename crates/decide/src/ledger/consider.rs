//! A fresh window: intents become leases or keep them alive, and what they should lower is measured.

use super::{Key, Lease, Ledger, Outcome, Over, Phase, Room, Running};
use crate::gates::Telemetry;
use crate::identity::{Incident, command_id};
use crate::measure::{measure, queue_delay_ms};
use crate::picture::Picture;
use crate::plan::{Intent, Plan};
use crate::policy::Policy;
use model::{AuditKind, Finding, KnobKind, LEVELS, Mode, Reason, Setting};

/// A queue shorter than this share of its clients' timeout has drained.
pub(super) const QUEUE_SHARE_DRAINED: f64 = 0.15;

/// Calm is doubled per relapse, up to 16 times.
pub(super) const RELAPSES_MAX: u32 = 4;

impl Ledger {
    /// Takes in what a fresh window's findings ask for, and sends what is due.
    pub fn consider(&mut self, findings: &[Finding], plan: Plan, picture: &Picture, policy: &Policy) -> Vec<Outcome> {
        if self.now_ms == 0 {
            self.now_ms = picture.at_ms;
        }
        self.services_total = picture.services_total;
        self.entry_rps = picture.entry_offered_rps();
        self.telemetry = if picture.coverage < policy.limits.min_coverage { Telemetry::Thin } else { Telemetry::Fresh };
        if self.telemetry == Telemetry::Fresh {
            self.fresh_ms = self.now_ms;
        }
        if self.disarmed_by.is_some() {
            return Vec::new();
        }
        let mut out = self.say_abstained(&plan);
        let mut relapsed = Vec::new();
        for intent in plan.intents {
            let Some(finding) = findings.get(intent.finding) else { continue };
            // Reading a part of the traces is no hole in the telemetry: in a retry storm it would forbid what ends the storm.
            let coverage = (finding.coverage / (1.0 - picture.left_out)).min(1.0);
            self.take(intent, finding, coverage, policy, &mut relapsed);
        }
        relapsed.sort();
        relapsed.dedup();
        for about in relapsed {
            self.relapse(&about, &mut out);
        }
        self.measure_all(picture);
        self.judge_trials(picture, policy, &mut out);
        out.extend(self.settle(policy));
        out
    }

    /// One intent: a new lease, or the life of one that is there.
    fn take(&mut self, intent: Intent, finding: &Finding, coverage: f64, policy: &Policy, relapsed: &mut Vec<String>) {
        let key: Key = (intent.target.clone(), intent.setting.knob());
        let now_ms = self.now_ms;
        let before = self.ended.get(&intent.about).copied();
        let running = self.incidents.entry(intent.about.clone()).or_insert_with(|| Running {
            incident: Incident {
                signature: finding.signature,
                origin: finding.origin.clone().unwrap_or_else(|| intent.about.clone()),
                since_ms: finding.since_ms,
            },
            evidence_ms: now_ms,
            relapses: before.map_or(0, |(_, relapses)| (relapses + 1).min(RELAPSES_MAX)),
            room: Room::Tight,
            failed: 0,
            try_ms: 0,
        });
        running.evidence_ms = now_ms;
        let incident = running.incident.clone();
        if self.holds.contains_key(&key) || self.mode_of(&key, policy) == Mode::Off {
            return;
        }
        let reason = reason(&intent, finding, now_ms + policy.pace.effect_within_ms);
        if let Some(lease) = self.leases.get_mut(&key) {
            if key.1.kind() == KnobKind::OneShot && lease.acts() {
                return;
            }
            if matches!(lease.phase, Phase::Fading { .. }) {
                lease.phase = Phase::Held;
                relapsed.push(intent.about.clone());
            }
            lease.wanted = intent.setting;
            lease.evidence_ms = now_ms;
            lease.coverage = coverage;
            let expected_by_ms = lease.expected_by_ms;
            lease.reason = Reason { expected_by_ms, ..reason };
            return;
        }
        let id = command_id(&policy.domain, &incident, &key.0, key.1);
        if self.over.contains_key(&id) {
            return;
        }
        let lease = Lease {
            id,
            incident,
            about: intent.about,
            distance: intent.distance,
            wanted: intent.setting,
            allowed: intent.setting,
            eased: None,
            coverage,
            expected_by_ms: reason.expected_by_ms,
            reason,
            gate: None,
            beyond: None,
            sent: None,
            acting_since_ms: None,
            changed_ms: 0,
            evidence_ms: now_ms,
            phase: Phase::Held,
            measure_then: None,
            measure_now: None,
            measure_good: 0.0,
            mix: [0.0; LEVELS],
            drained: false,
        };
        self.leases.insert(key, lease);
    }

    /// The evidence came back while commands were being released: everything of the incident is held again, and the next
    /// calm must last longer.
    fn relapse(&mut self, about: &str, out: &mut Vec<Outcome>) {
        let now_ms = self.now_ms;
        let Some(running) = self.incidents.get_mut(about) else { return };
        running.relapses = (running.relapses + 1).min(RELAPSES_MAX);
        let times = running.relapses;
        for lease in self.leases.values_mut().filter(|lease| lease.about == about) {
            lease.phase = Phase::Held;
            lease.evidence_ms = now_ms;
            lease.eased = None;
        }
        let text = format!(
            "the overload of {about} came back while its commands were being released: they are held again (relapse {times})"
        );
        out.push(Outcome::Audit(self.audit(AuditKind::Changed, about, text)));
    }

    /// Measures what every lease should lower, and who asks what at the entries.
    fn measure_all(&mut self, picture: &Picture) {
        for (key, lease) in &mut self.leases {
            let setting = lease.sent.as_ref().map_or(lease.wanted, |sent| sent.setting);
            let measured = measure(key, setting, lease, picture, &self.guards);
            lease.measure_now = measured.now;
            lease.measure_good = measured.good;
            if matches!(lease.wanted, Setting::Admission { .. }) {
                let mix = picture.entry_mix(&key.0.service, key.0.operation.as_deref());
                if mix.iter().sum::<f64>() > 0.0 {
                    lease.mix = mix;
                }
            }
            let drained_ms = picture.timeout_ms(&lease.about).map(|timeout| QUEUE_SHARE_DRAINED * timeout);
            let delay_ms = queue_delay_ms(&lease.about, picture, &self.guards);
            let is_short = match (delay_ms, drained_ms) {
                (Some(delay), Some(limit)) => delay <= limit,
                _ => true,
            };
            let capacity = picture.services.get(&lease.about).and_then(|facts| facts.capacity_rps);
            let fits = capacity.is_none_or(|capacity| picture.demand_rps(&lease.about) <= capacity.high);
            lease.drained = is_short && fits;
        }
    }

    /// Says once why nothing is done about an overload.
    fn say_abstained(&mut self, plan: &Plan) -> Vec<Outcome> {
        let mut out = Vec::new();
        for (about, reason) in &plan.abstained {
            if self.abstained.get(about) != Some(reason) {
                let text = format!("nothing is done about the overload of {about}: {reason}");
                out.push(Outcome::Audit(self.audit(AuditKind::Gated, about, text)));
                self.abstained.insert(about.clone(), reason.clone());
            }
        }
        self.abstained.retain(|about, _| plan.abstained.iter().any(|(other, _)| other == about));
        out
    }

    /// Is this id over?
    pub fn is_over(&self, id: &model::CommandId) -> Option<Over> {
        self.over.get(id).copied()
    }
}

fn reason(intent: &Intent, finding: &Finding, expected_by_ms: u64) -> Reason {
    let mut evidence = finding.evidence.clone();
    evidence.extend(intent.evidence.iter().cloned());
    Reason {
        finding: finding.id.0.clone(),
        signature: finding.signature,
        summary: intent.summary.clone(),
        evidence,
        confidence: finding.confidence,
        expected: intent.expected.clone(),
        expected_by_ms,
        undone_by: intent.undone_by.clone(),
    }
}
