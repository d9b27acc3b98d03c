//! Clients: they come when they come (open loop), and their requests end in the world's books.

use super::plan::ClientPlan;
use super::record::Answer;
use super::state::{Baggage, Owner};
use super::{Arrivals, Event, World};
use model::{Criticality, Failure};

impl World {
    /// Puts the next arrival of `client` on the agenda: a Poisson process whose rate changes, by thinning
    /// (Lewis and Shedler, 1979).
    pub(super) fn plan_arrival(&mut self, client: u32) {
        let plan = &self.plan.clients[client as usize];
        let population = &mut self.populations[client as usize];
        let rate_max = plan.rate_rps * (1.0 + plan.diurnal_share) * population.surge;
        let mut at_ns = plan.from_ns.max(self.now_ns as f64);
        loop {
            at_ns += population.dice.exponential(1e9 / rate_max);
            if population.dice.chance(swing(plan, at_ns) / (1.0 + plan.diurnal_share)) {
                break;
            }
        }
        if at_ns > plan.until_ns {
            return;
        }
        self.agenda.put(at_ns as u64, Event::Arrive { client });
    }

    /// A client begins a request.
    pub(super) fn arrive(&mut self, client: u32) {
        if self.arrivals == Arrivals::Stopped {
            return;
        }
        self.plan_arrival(client);
        let plan = &self.plan.clients[client as usize];
        let (edge, criticality) = (plan.edge, plan.criticality);
        let cohort = self.populations[client as usize].dice.below(u32::from(plan.cohorts)) as u8;
        if self.arrivals == Arrivals::Counted {
            self.populations[client as usize].counted += 1;
            return;
        }
        self.second.offered += 1;
        self.second.offered_by[criticality.index()] += 1;
        self.alive += 1;
        let baggage = Baggage { trace: 0, criticality, cohort, deadline_ns: u64::MAX };
        self.call(edge, Owner::Client, None, 0, baggage);
    }

    /// A client's request ends.
    pub(super) fn client_hears(&mut self, criticality: Criticality, answer: Answer) {
        self.alive -= 1;
        match answer {
            Answer::Good => {
                self.second.good += 1;
                self.second.good_by[criticality.index()] += 1;
            }
            Answer::Failed { failure: Failure::Shed, .. } => self.second.shed += 1,
            Answer::Failed { .. } => self.second.failed += 1,
        }
    }
}

/// The rate at a time, as a multiple of the client's own: 1 on average.
fn swing(plan: &ClientPlan, at_ns: f64) -> f64 {
    if plan.diurnal_share == 0.0 {
        return 1.0;
    }
    1.0 + plan.diurnal_share * libm::sin(std::f64::consts::TAU * at_ns / plan.diurnal_period_ns)
}
