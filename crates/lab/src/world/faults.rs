//! Faults begin and end. Faults of the same kind at the same place add up: factors multiply, shares overlap by chance.

use super::World;
use super::plan::{FaultPlan, Plan};
use crate::topology::FaultKind;

impl World {
    pub(super) fn fault_begins(&mut self, _fault: u32) {
        self.apply_faults();
    }

    pub(super) fn fault_ends(&mut self, _fault: u32) {
        self.apply_faults();
    }

    /// Works out every effect anew from the faults that are on: nothing is left behind by one that ends.
    fn apply_faults(&mut self) {
        let plan = self.plan.clone();
        let now_ns = self.now_ns;
        let on =
            |kind: FaultKind| plan.faults.iter().filter(move |fault| fault.fault.kind == kind && fault.is_on(now_ns));
        for place in 0..self.instances.len() {
            let here = |fault: &&FaultPlan| fault.hits(&plan, place);
            let slowness = on(FaultKind::Slow).filter(here).map(FaultPlan::factor).product();
            let errors = 1.0 - on(FaultKind::Errors).filter(here).map(|fault| 1.0 - fault.share()).product::<f64>();
            let left: f64 = on(FaultKind::Capacity).filter(here).map(|fault| 1.0 - fault.share()).product();
            let instance = &mut self.instances[place];
            let workers = plan.services[instance.service as usize].workers;
            (instance.slowness, instance.errors) = (slowness, errors);
            instance.workers = (f64::from(workers) * left).round() as u32;
            self.take_up_work(place as u32);
        }
        for (edge, edge_plan) in self.edges.iter_mut().zip(&plan.edges) {
            let lost = on(FaultKind::PacketLoss).filter(|fault| {
                let caller = edge_plan.caller.map(|caller| plan.services[caller as usize].name.as_str());
                fault.names_service(&plan.services[edge_plan.callee as usize].name)
                    && fault.fault.caller.as_ref().is_none_or(|name| caller == Some(&**name))
            });
            edge.loss = 1.0 - lost.map(|fault| 1.0 - fault.share()).product::<f64>();
        }
        for (population, client) in self.populations.iter_mut().zip(&plan.clients) {
            let surges = on(FaultKind::Surge)
                .filter(|fault| fault.fault.client.as_ref().is_none_or(|name| **name == *client.name));
            // an arrival that is already on the agenda keeps its time: surges begin within one interarrival time
            population.surge = surges.map(FaultPlan::factor).product();
        }
    }
}

impl FaultPlan {
    fn is_on(&self, now_ns: u64) -> bool {
        self.start_ns <= now_ns && now_ns < self.end_ns
    }

    fn factor(&self) -> f64 {
        self.fault.factor.unwrap_or(1.0)
    }

    fn share(&self) -> f64 {
        self.fault.share.unwrap_or(0.0)
    }

    fn names_service(&self, name: &str) -> bool {
        self.fault.service.as_ref().is_some_and(|service| **service == *name)
    }

    fn hits(&self, plan: &Plan, instance: usize) -> bool {
        let service = &plan.services[plan.instances[instance].service as usize];
        let number = instance as u32 - service.instances.start;
        self.names_service(&service.name) && self.fault.instance.is_none_or(|only| only == number)
    }
}
