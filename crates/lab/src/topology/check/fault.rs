//! Faults: each kind has what it needs, and nothing that it does not understand.

use super::{Check, positive, share, span};
use crate::topology::{Fault, FaultKind, Label, TopologyError};

impl Check<'_> {
    pub(super) fn fault(&self, fault: &Fault) -> Result<(), TopologyError> {
        let named = [&fault.service, &fault.client, &fault.zone];
        let at = named.into_iter().flatten().map(Label::at_byte).next();
        let at = at.or_else(|| self.text.find("[[fault]]")).unwrap_or(0);
        let must = |holds: bool, what: &str| self.that(holds, at, || what.to_owned());
        must(span(fault.start_s), "start_s must not be negative")?;
        must(positive(fault.duration_s), "duration_s must be above 0")?;
        must(fault.every_s.is_none_or(|every_s| every_s > fault.duration_s), "every_s must be above duration_s")?;
        must(span(fault.step_s) && fault.step_s < fault.duration_s, "step_s must be below duration_s")?;
        must(span(fault.detect_s), "detect_s must not be negative")?;
        must(fault.part > 0.0 && fault.part <= 1.0, "part must be above 0 and at most 1")?;
        self.where_it_happens(fault, at)?;
        let (needs_factor, needs_share) = match fault.kind {
            FaultKind::Slow | FaultKind::Surge | FaultKind::FlashCrowd => (true, false),
            FaultKind::Errors | FaultKind::Capacity | FaultKind::PacketLoss => (false, true),
            FaultKind::Gray | FaultKind::CacheFlush => (false, true),
            FaultKind::Deploy | FaultKind::Lock | FaultKind::Crash | FaultKind::ZoneLoss => (false, false),
        };
        must(fault.factor.is_none_or(positive), "`factor` must be above 0")?;
        must(fault.share.is_none_or(share), "`share` must be 0 to 1")?;
        must(!needs_factor || fault.factor.is_some(), "this fault needs `factor`, above 0")?;
        must(!needs_share || fault.share.is_some(), "this fault needs `share`, 0 to 1")?;
        let version = (fault.kind == FaultKind::Deploy) == fault.version.is_some();
        must(version, "a `deploy` needs `version`, and only a `deploy` has one")?;
        let caller = fault.caller.is_none() || fault.kind == FaultKind::PacketLoss;
        must(caller, "only `packet_loss` has a `caller`")
    }

    fn where_it_happens(&self, fault: &Fault, at: usize) -> Result<(), TopologyError> {
        let must = |holds: bool, what: &str| self.that(holds, at, || what.to_owned());
        let arrivals = matches!(fault.kind, FaultKind::Surge | FaultKind::FlashCrowd);
        let zone = fault.kind == FaultKind::ZoneLoss;
        must(fault.service.is_some() || arrivals || zone, "this kind of fault needs `service`")?;
        let stranger = fault.service.is_none() || !(arrivals || zone);
        must(stranger, "a surge has `client` and a zone loss has `zone`, but neither has `service`")?;
        must(fault.zone.is_some() == zone, "a `zone_loss` needs `zone`, and only a `zone_loss` has one")?;
        for name in fault.service.iter().chain(&fault.caller) {
            let known = self.find(name)?;
            let inside = fault.instance.is_none_or(|instance| instance < known.instances);
            must(inside, &format!("`{}` has {} instances, numbered from 0", name, known.instances))?;
            let locks = known.operation.iter().any(|operation| operation.lock_us > 0.0);
            must(fault.kind != FaultKind::Lock || locks, &format!("no operation of `{name}` has `lock_us`"))?;
            let caches = fault.kind != FaultKind::CacheFlush || known.cache.is_some();
            must(caches, &format!("`{name}` has no `cache`"))?;
        }
        let clients = self.topology.client.iter().map(|client| &*client.name);
        let zones = self.topology.service.iter().flat_map(|service| &service.zones).map(String::as_str);
        self.known("client", fault.client.as_ref(), clients)?;
        self.known("zone", fault.zone.as_ref(), zones)
    }

    fn known<'a>(
        &self,
        noun: &str,
        label: Option<&Label>,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), TopologyError> {
        match label {
            Some(label) if !names.clone().any(|name| *name == **label) => {
                Err(TopologyError::unknown(self.text, label.at_byte(), noun, label, names))
            }
            _ => Ok(()),
        }
    }
}
