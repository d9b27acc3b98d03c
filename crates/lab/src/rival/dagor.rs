//! `dagor`: WeChat's overload control (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018).
//!
//! An instance is overloaded when requests of the last window queued for more than 20 ms on average. The paper ends a window
//! after 1 s or 2000 requests, whichever comes first; here an instance sees a hundred requests a second and 2000 would never
//! come first, so that windows are a tenth of a second (of 1, 0.25 and 0.1 s the best over the scenarios).
//!
//! A request's rank is its business priority, then its user's, re-hashed hourly; a level admits all ranks up to it. After
//! each window a histogram of the ranks that came moves the level so that 5 % fewer requests would have been admitted, or 1 %
//! more when there was no overload. The level rides on every answer, and callers drop by the last one they heard.
//!
//! One thing is added: a caller that has dropped everything for a window sends one request, or it would never hear that the
//! overload is over.

use super::fleet::{Fleet, caller};
use super::local::{Arrival, Attempt, Departure, Heard, Local};
use admission::Retry;
use model::{Criticality, LEVELS};

const QUEUING_MAX_NS: f64 = 20e6;
const WINDOW_NS: u64 = 100_000_000;
const WINDOW_REQUESTS: u32 = 2000;
const ALPHA: f64 = 0.05;
const BETA: f64 = 0.01;
const USERS: usize = 128;
const RANKS: usize = LEVELS * USERS;
const HOUR_NS: u64 = 3_600_000_000_000;

/// The policy.
pub(crate) struct Dagor {
    instances: usize,
    doors: Vec<Door>,
    /// By caller and callee: the level that was heard last, and when something was sent last.
    heard: Vec<(u32, u64)>,
}

#[derive(Clone)]
struct Door {
    level: u32,
    ranks: [u32; RANKS],
    came: u32,
    admitted: u32,
    queued_ns: f64,
    began: u32,
    since_ns: u64,
}

/// 0 is the most important.
fn rank(criticality: Criticality, cohort: u8, now_ns: u64) -> u32 {
    let business = LEVELS - 1 - criticality.index();
    let user = (usize::from(cohort) * 37 + (now_ns / HOUR_NS) as usize * 11) % USERS;
    (business * USERS + user) as u32
}

impl Dagor {
    pub(crate) fn new(fleet: &Fleet) -> Dagor {
        let door = Door {
            level: RANKS as u32 - 1,
            ranks: [0; RANKS],
            came: 0,
            admitted: 0,
            queued_ns: 0.0,
            began: 0,
            since_ns: 0,
        };
        Dagor {
            instances: fleet.instances(),
            doors: vec![door; fleet.instances()],
            heard: vec![(RANKS as u32 - 1, 0); fleet.callers() * fleet.instances()],
        }
    }
}

impl Door {
    /// Ends the window. `delay_ns` is how long the head of the queue waits, for a window in which nobody's wait ended.
    fn end(&mut self, now_ns: u64, delay_ns: u64) {
        let mean_ns = if self.began > 0 { self.queued_ns / f64::from(self.began) } else { delay_ns as f64 };
        let mut admitted = f64::from(self.admitted);
        if mean_ns > QUEUING_MAX_NS {
            let wanted = admitted * (1.0 - ALPHA);
            while admitted > wanted && self.level > 0 {
                admitted -= f64::from(self.ranks[self.level as usize]);
                self.level -= 1;
            }
        } else {
            let wanted = admitted + BETA * f64::from(self.came);
            while admitted <= wanted && self.level < RANKS as u32 - 1 {
                self.level += 1;
                admitted += f64::from(self.ranks[self.level as usize]);
            }
        }
        self.ranks.fill(0);
        (self.came, self.admitted, self.queued_ns, self.began) = (0, 0, 0.0, 0);
        self.since_ns = now_ns;
    }

    fn is_over(&self, now_ns: u64) -> bool {
        self.came >= WINDOW_REQUESTS || now_ns - self.since_ns >= WINDOW_NS
    }
}

impl Local for Dagor {
    fn may_send(&mut self, attempt: &Attempt) -> bool {
        let (level, sent_ns) = &mut self.heard[caller(attempt.caller) * self.instances + attempt.callee as usize];
        let known = rank(attempt.criticality, attempt.cohort, attempt.now_ns) <= *level;
        let sends = known || attempt.now_ns - *sent_ns >= WINDOW_NS;
        if sends {
            *sent_ns = attempt.now_ns;
        }
        sends
    }

    fn heard(&mut self, heard: &Heard) {
        if let Some(level) = heard.word {
            self.heard[caller(heard.attempt.caller) * self.instances + heard.attempt.callee as usize].0 = level;
        }
    }

    fn may_enter(&mut self, arrival: &Arrival) -> Result<(), Retry> {
        let door = &mut self.doors[arrival.place as usize];
        if door.is_over(arrival.now_ns) {
            door.end(arrival.now_ns, arrival.delay_ns);
        }
        let rank = rank(arrival.criticality, arrival.cohort, arrival.now_ns);
        door.came += 1;
        door.ranks[rank as usize] += 1;
        if rank > door.level {
            return Err(Retry::AfterMs(0));
        }
        door.admitted += 1;
        Ok(())
    }

    fn begins(&mut self, place: u32, waited_ns: u64, _now_ns: u64) {
        let door = &mut self.doors[place as usize];
        door.queued_ns += waited_ns as f64;
        door.began += 1;
    }

    fn departs(&mut self, departure: &Departure) -> u32 {
        self.doors[departure.place as usize].level
    }

    fn second(&mut self, now_ns: u64, delays_ns: &[u64]) {
        for (door, delay_ns) in self.doors.iter_mut().zip(delays_ns) {
            if door.is_over(now_ns) {
                door.end(now_ns, *delay_ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::local::Outcome;
    use crate::rival::local::testing::{arrival, attempt, departure, heard};

    /// A window of requests of all classes and users of which each admitted one waits `wait_ns`; gives the share admitted.
    fn window(dagor: &mut Dagor, number: u64, wait_ns: u64) -> f64 {
        let mut admitted = 0;
        for request in 0..1000u64 {
            let criticality = Criticality::ALL[(request % 4) as usize];
            let cohort = (request / 4 % 128) as u8;
            let arrival = Arrival { criticality, cohort, ..arrival(number * WINDOW_NS + request) };
            if dagor.may_enter(&arrival).is_ok() {
                admitted += 1;
                dagor.begins(1, wait_ns, 0);
            }
        }
        f64::from(admitted) / 1000.0
    }

    #[test]
    fn overload_takes_a_twentieth_away_each_window_and_calm_gives_a_hundredth_back() {
        let mut dagor = Dagor::new(&Fleet::pair(1));
        let shares: Vec<f64> = (0..14).map(|number| window(&mut dagor, number, 30_000_000)).collect();
        assert_eq!(shares[0], 1.0);
        for pair in shares.windows(2) {
            assert!((0.92..=0.955).contains(&(pair[1] / pair[0])), "{shares:?}");
        }
        let low = window(&mut dagor, 14, 10_000_000);
        let rising: Vec<f64> = (15..25).map(|number| window(&mut dagor, number, 10_000_000)).collect();
        assert!((rising[9] - low - 0.1).abs() < 0.03, "{low} {rising:?}");
    }

    #[test]
    fn twenty_milliseconds_of_queuing_are_no_overload() {
        let mut dagor = Dagor::new(&Fleet::pair(1));
        assert!((0..20).all(|number| window(&mut dagor, number, 19_000_000) == 1.0));
    }

    #[test]
    fn what_matters_most_is_dropped_last_and_callers_drop_by_what_they_hear() {
        let mut dagor = Dagor::new(&Fleet::pair(1));
        (0..12).for_each(|number| _ = window(&mut dagor, number, 50_000_000));
        let refused = |dagor: &mut Dagor, criticality| {
            let of = |cohort| Arrival { criticality, cohort, ..arrival(12 * WINDOW_NS) };
            (0..128).filter(|cohort| dagor.may_enter(&of(*cohort)).is_err()).count()
        };
        assert_eq!(refused(&mut dagor, Criticality::Sheddable), 128);
        assert_eq!(refused(&mut dagor, Criticality::CriticalPlus), 0);
        let level = dagor.departs(&departure(&arrival(0), 0));
        let low = Attempt { criticality: Criticality::Sheddable, ..attempt(0) };
        assert!(dagor.may_send(&low), "it has heard nothing yet");
        dagor.heard(&heard(low, Outcome::Refused, Some(level)));
        assert!(!dagor.may_send(&low), "dropped before it costs the callee anything");
        assert!(dagor.may_send(&attempt(0)), "what matters more is sent");
        assert!(dagor.may_send(&Attempt { now_ns: 2 * WINDOW_NS, ..low }), "one asks whether it is over");
    }
}
