//! The autoscaler: Kubernetes' rule, `wanted = ⌈busy instances / target⌉`, with its tolerance of a tenth.

use super::{Event, World};

/// Nothing changes as long as what is needed is that close to what there is (Kubernetes' default).
const TOLERANCE: f64 = 0.1;
/// How often it measures how busy instances are.
pub(super) const LOOK_NS: u64 = 100_000_000;
/// An instance that is taken away finishes what it has (Kubernetes' default grace).
const GRACE_NS: u64 = 30_000_000_000;

impl World {
    /// How busy are the services that are scaled?
    pub(super) fn look_at_load(&mut self) {
        self.agenda.put(self.now_ns + LOOK_NS, Event::Look);
        for (service, fleet) in self.plan.services.iter().zip(&mut self.fleets) {
            if service.spec.autoscale.is_none() {
                continue;
            }
            let serving = fleet.listed.iter().map(|place| &self.instances[*place as usize]);
            let busy = serving.map(|instance| f64::from(instance.busy) / f64::from(instance.workers.max(1)));
            fleet.busy_instances += busy.sum::<f64>();
            fleet.looks += 1;
        }
    }

    /// The autoscaler of a service looks.
    pub(super) fn scale(&mut self, service: u32) {
        let plan = self.plan.clone();
        let service_plan = &plan.services[service as usize];
        let Some(scale) = service_plan.spec.autoscale else { return };
        self.agenda.put(self.now_ns + (scale.every_s * 1e9) as u64, Event::Scale { service });
        let fleet = &mut self.fleets[service as usize];
        let (sum, looks) = (std::mem::take(&mut fleet.busy_instances), std::mem::take(&mut fleet.looks));
        if looks == 0 {
            return;
        }
        // counted in busy instances and not as their share, or those that have just started would count twice
        let (needed, running) = (sum / f64::from(looks) / scale.target, fleet.listed.len() as f64);
        let wanted = if (needed - running).abs() <= TOLERANCE * running { running } else { needed.ceil() };
        let wanted = (wanted as u32).clamp(scale.min, scale.max);
        let (first, now) = (service_plan.instances.start, fleet.wanted);
        if wanted >= now {
            fleet.fewer_since_ns = None;
            fleet.wanted = wanted;
            for instance in first + now..first + wanted {
                self.agenda.put(self.now_ns + (scale.start_s * 1e9) as u64, Event::Wanted { instance });
            }
            return;
        }
        let since_ns = *fleet.fewer_since_ns.get_or_insert(self.now_ns);
        if self.now_ns - since_ns >= (scale.down_s * 1e9) as u64 {
            fleet.wanted = wanted;
            fleet.fewer_since_ns = None;
            for instance in first + wanted..first + now {
                self.delist(instance);
                self.agenda.put(self.now_ns + GRACE_NS, Event::Unwanted { instance });
            }
        }
    }

    /// An instance that was asked for is ready.
    pub(super) fn wanted(&mut self, place: u32) {
        if self.number_wanted(place) {
            self.instances[place as usize].wanted = true;
            self.settle(place, 0);
            // it may be there still, in its grace
            self.list(place);
        }
    }

    /// The grace of an instance that was taken away is over.
    pub(super) fn unwanted(&mut self, place: u32) {
        if !self.number_wanted(place) {
            self.instances[place as usize].wanted = false;
            self.flush(place);
            self.settle(place, 0);
        }
    }

    /// Does the autoscaler still want it?
    fn number_wanted(&self, place: u32) -> bool {
        let service = self.plan.instances[place as usize].service as usize;
        place - self.plan.services[service].instances.start < self.fleets[service].wanted
    }
}
