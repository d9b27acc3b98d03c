//! What a policy that lives beside the requests is asked and told: the seams in the world.
//!
//! Every instance has one, as a sidecar or a library would be, and a gateway stands between clients and the services they
//! enter by (its caller is none). A policy keeps what it knows of each of them apart by the places it is given: no knowledge
//! travels but by what it hears in answers. No hook allocates, and without a policy none is called.

use admission::Retry;
use model::Criticality;

/// An attempt that is about to be sent, or has been.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Nanoseconds since the world's beginning.
    pub(crate) now_ns: u64,
    /// The edge's place in the plan.
    pub(crate) edge: u32,
    /// The calling instance; none is the gateway.
    pub(crate) caller: Option<u32>,
    /// The instance that is to be asked.
    pub(crate) callee: u32,
    /// 1 is the first.
    pub(crate) number: u8,
    pub(crate) criticality: Criticality,
    pub(crate) cohort: u8,
}

/// How an attempt ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// Refused on purpose.
    Refused,
    Failed,
    TimedOut,
    /// Its own caller had given up.
    Cancelled,
}

/// What a caller hears at the end of an attempt that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) attempt: Attempt,
    pub(crate) outcome: Outcome,
    /// What rode on the answer, if there was one.
    pub(crate) word: Option<u32>,
}

/// A request at the door of an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) now_ns: u64,
    pub(crate) place: u32,
    /// Who asks; none is the gateway.
    pub(crate) caller: Option<u32>,
    pub(crate) criticality: Criticality,
    pub(crate) cohort: u8,
    /// How long the head of the queue has waited.
    pub(crate) delay_ns: u64,
}

/// A request that leaves an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) place: u32,
    pub(crate) caller: Option<u32>,
    pub(crate) criticality: Criticality,
    pub(crate) outcome: Outcome,
    /// Was it let in? A request that the door refused never was.
    pub(crate) entered: bool,
    /// From its arrival.
    pub(crate) stayed_ns: u64,
}

/// A policy beside the requests.
pub(crate) trait Local {
    /// May an attempt be sent? What is not sent has failed for good.
    fn may_send(&mut self, _attempt: &Attempt) -> bool {
        true
    }

    /// Does the balancer of `caller` leave this instance out?
    fn avoids(&self, _caller: Option<u32>, _callee: u32, _now_ns: u64) -> bool {
        false
    }

    /// May a service repeat a failed attempt?
    fn may_retry(&mut self, _edge: u32, _caller: u32, _now_ns: u64) -> bool {
        true
    }

    /// An attempt that was sent has ended.
    fn heard(&mut self, _heard: &Heard) {}

    /// Is a request let in? If not, this is what its caller is told.
    fn may_enter(&mut self, _arrival: &Arrival) -> Result<(), Retry> {
        Ok(())
    }

    /// A worker takes a request up that has waited this long.
    fn begins(&mut self, _place: u32, _waited_ns: u64, _now_ns: u64) {}

    /// A request leaves; gives the word that rides on its answer.
    fn departs(&mut self, _departure: &Departure) -> u32 {
        0
    }

    /// A second has ended. `delays_ns` is how long the heads of the queues have waited, in the order of the plan's instances.
    fn second(&mut self, _now_ns: u64, _delays_ns: &[u64]) {}
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// An attempt of instance 0 over edge 0 at instance 1.
    pub(crate) fn attempt(now_ns: u64) -> Attempt {
        let criticality = Criticality::Critical;
        Attempt { now_ns, edge: 0, caller: Some(0), callee: 1, number: 1, criticality, cohort: 0 }
    }

    pub(crate) fn heard(attempt: Attempt, outcome: Outcome, word: Option<u32>) -> Heard {
        Heard { attempt, outcome, word }
    }

    /// A request of instance 0 at the door of instance 1.
    pub(crate) fn arrival(now_ns: u64) -> Arrival {
        Arrival { now_ns, place: 1, caller: Some(0), criticality: Criticality::Critical, cohort: 0, delay_ns: 0 }
    }

    pub(crate) fn departure(arrival: &Arrival, now_ns: u64) -> Departure {
        Departure {
            place: arrival.place,
            caller: arrival.caller,
            criticality: arrival.criticality,
            outcome: Outcome::Good,
            entered: true,
            stayed_ns: now_ns - arrival.now_ns,
        }
    }
}
