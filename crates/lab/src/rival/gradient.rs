//! `gradient`: Netflix's adaptive concurrency limit in every instance, with partitions for priorities
//! (`Netflix/concurrency-limits`: `Gradient2Limit`, `WindowedLimit`, `AbstractPartitionedLimiter`).
//!
//! Every second that saw ten requests: `g = clamp(1.5 · long / short, 0.5, 1)`, `limit' = limit · g + 4`, smoothed by 0.2,
//! between 20 and 200; `long` is an exponential mean over 600 windows, cut by 5 % while it is more than twice `short`; a
//! limit that is not half used does not grow. A request is refused when the limit is full and its own partition too: what
//! higher classes leave unused, lower ones may take, but not what is promised to others.

use super::fleet::Fleet;
use super::local::{Arrival, Departure, Local, Outcome};
use admission::Retry;
use model::LEVELS;

const TOLERANCE: f64 = 1.5;
const QUEUE: f64 = 4.0;
const SMOOTHING: f64 = 0.2;
const LONG_WINDOW: f64 = 600.0;
const LONG_WARM_UP: u32 = 10;
const DRIFT: f64 = 0.95;
const LIMIT_INITIAL: f64 = 20.0;
const LIMIT_MIN: f64 = 20.0;
const LIMIT_MAX: f64 = 200.0;
const SAMPLES_MIN: u32 = 10;
/// The promised share of each class, lowest first.
const PARTITIONS: [f64; LEVELS] = [0.05, 0.1, 0.35, 0.5];

/// The policy.
pub(crate) struct Gradient {
    limits: Vec<Limit>,
}

#[derive(Clone, Copy)]
struct Limit {
    limit: f64,
    long_ns: f64,
    windows: u32,
    in_flight: [u32; LEVELS],
    /// The running window.
    samples: u32,
    sum_ns: f64,
    in_flight_max: u32,
}

impl Gradient {
    pub(crate) fn new(fleet: &Fleet) -> Gradient {
        Gradient { limits: vec![Limit::new(); fleet.instances()] }
    }
}

impl Limit {
    fn new() -> Limit {
        Limit {
            limit: LIMIT_INITIAL,
            long_ns: 0.0,
            windows: 0,
            in_flight: [0; LEVELS],
            samples: 0,
            sum_ns: 0.0,
            in_flight_max: 0,
        }
    }

    fn admits(&self, class: usize) -> bool {
        let all: u32 = self.in_flight.iter().sum();
        f64::from(all) < self.limit.floor()
            || f64::from(self.in_flight[class]) < (self.limit.floor() * PARTITIONS[class]).max(1.0)
    }

    /// The end of a window.
    fn update(&mut self) {
        if self.samples < SAMPLES_MIN {
            return;
        }
        let short_ns = self.sum_ns / f64::from(self.samples);
        let in_flight = f64::from(self.in_flight_max);
        (self.samples, self.sum_ns, self.in_flight_max) = (0, 0.0, 0);
        self.windows += 1;
        let weight =
            if self.windows <= LONG_WARM_UP { 1.0 / f64::from(self.windows) } else { 2.0 / (LONG_WINDOW + 1.0) };
        self.long_ns += weight * (short_ns - self.long_ns);
        if self.long_ns / short_ns > 2.0 {
            self.long_ns *= DRIFT;
        }
        if in_flight < self.limit / 2.0 {
            return;
        }
        let gradient = (TOLERANCE * self.long_ns / short_ns).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE;
        self.limit = (self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING).clamp(LIMIT_MIN, LIMIT_MAX);
    }
}

impl Local for Gradient {
    fn may_enter(&mut self, arrival: &Arrival) -> Result<(), Retry> {
        let limit = &mut self.limits[arrival.place as usize];
        if !limit.admits(arrival.criticality.index()) {
            return Err(Retry::AfterMs(0));
        }
        limit.in_flight[arrival.criticality.index()] += 1;
        limit.in_flight_max = limit.in_flight_max.max(limit.in_flight.iter().sum());
        Ok(())
    }

    fn departs(&mut self, departure: &Departure) -> u32 {
        if departure.entered {
            let limit = &mut self.limits[departure.place as usize];
            limit.in_flight[departure.criticality.index()] -= 1;
            if departure.outcome == Outcome::Good {
                limit.samples += 1;
                limit.sum_ns += departure.stayed_ns as f64;
            }
        }
        0
    }

    fn second(&mut self, _now_ns: u64, _delays_ns: &[u64]) {
        self.limits.iter_mut().for_each(Limit::update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::local::testing::{arrival, departure};
    use model::Criticality;

    /// A second in which as many requests as may be in flight stay `stay_ns`; gives the limit.
    fn second(gradient: &mut Gradient, stay_ns: u64) -> f64 {
        let mut inside = Vec::new();
        while gradient.may_enter(&arrival(0)).is_ok() {
            inside.push(arrival(0));
        }
        inside.iter().for_each(|arrival| _ = gradient.departs(&departure(arrival, stay_ns)));
        gradient.second(0, &[]);
        gradient.limits[1].limit
    }

    #[test]
    fn the_limit_grows_while_latency_is_level_and_halves_its_way_down_when_it_rises() {
        let mut gradient = Gradient::new(&Fleet::pair(1));
        let grown = (0..100).map(|_| second(&mut gradient, 10_000_000)).last().unwrap();
        // 4 × 0.2 a second
        assert!((grown - (20.0 + 80.0)).abs() < 1.0, "{grown}");
        let first = second(&mut gradient, 100_000_000);
        assert!((first - (grown * 0.9 + 0.8)).abs() < 0.5, "g is held at 0.5: {first}");
        let low = (0..40).map(|_| second(&mut gradient, 100_000_000)).last().unwrap();
        assert!(low < 30.0, "{low}");
    }

    #[test]
    fn a_limit_that_nobody_uses_does_not_grow() {
        let mut gradient = Gradient::new(&Fleet::pair(1));
        for _ in 0..50 {
            for _ in 0..20 {
                gradient.may_enter(&arrival(0)).unwrap();
                gradient.departs(&departure(&arrival(0), 1_000_000));
            }
            gradient.second(0, &[]);
        }
        assert_eq!(gradient.limits[1].limit, LIMIT_INITIAL);
    }

    #[test]
    fn a_flood_of_batch_work_leaves_room_for_what_is_critical() {
        let mut gradient = Gradient::new(&Fleet::pair(1));
        let of = |criticality| Arrival { criticality, ..arrival(0) };
        let enter = |gradient: &mut Gradient, criticality| {
            (0..100).filter(|_| gradient.may_enter(&of(criticality)).is_ok()).count()
        };
        assert_eq!(enter(&mut gradient, Criticality::Sheddable), 20, "what is free may be used by anybody");
        assert_eq!(enter(&mut gradient, Criticality::CriticalPlus), 10, "and half is promised all the same");
    }
}
