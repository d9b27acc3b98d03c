//! `breakwater`: credits from the server (Cho et al., "Overload Control for µs-scale RPCs with Breakwater", OSDI 2020;
//! `shenango/caladan`, `breakwater/src/bw_server.c`).
//!
//! Each round trip an instance looks at its queuing delay d: `d ≥ t → credits ×= max(1 − 0.02 (d − t) / t, 0.5)`, else
//! `credits += max(0.001 · clients, 1)`. A client sends only within the window that the server's last answer gave it:
//! requests pending and wanted, plus a fair share of what is open (overcommitment). A request that meets more than 2 t at the
//! door is dropped (AQM). The paper's target of 80 µs at 10 µs of work is kept as a ratio: t is eight times the mean work, and
//! its round trip of 10 µs one time.
//!
//! Clients do not hold requests back here: the paper's clients drop after 10 µs without a credit. Their demand message, which
//! asks for a first credit when nothing is pending, is answered at once. What is open counts what the client itself holds, or
//! windows would swing from answer to answer, which clients that wait do not feel and clients that drop do.

use super::fleet::{Fleet, caller};
use super::local::{Arrival, Attempt, Departure, Heard, Local};
use admission::Retry;

const ALPHA: f64 = 0.001;
const BETA: f64 = 0.02;
const TARGET_WORKS: f64 = 8.0;
const DROP_TARGETS: f64 = 2.0;
/// The code's clamp of one client's window.
const WINDOW_MAX: u32 = 63;

/// The policy.
pub(crate) struct Breakwater {
    instances: usize,
    servers: Vec<Server>,
    /// By caller and callee.
    sessions: Vec<Session>,
}

#[derive(Clone, Copy)]
struct Server {
    target_ns: f64,
    round_ns: u64,
    next_ns: u64,
    credits: f64,
    used: u32,
    clients: u32,
    /// It always has a credit for each worker.
    credits_min: f64,
}

#[derive(Clone, Copy, Default)]
struct Session {
    /// Has it ever sent anything?
    known: bool,
    /// The server's side: what it granted, what it works on.
    granted: u32,
    pending: u32,
    /// The client's side: the window it heard of, what is under way, what it had to drop since.
    window: u32,
    under_way: u32,
    wanted: u32,
}

impl Breakwater {
    pub(crate) fn new(fleet: &Fleet, workers: impl Fn(usize) -> u32) -> Breakwater {
        let server = |place: usize| {
            let work_ns = fleet.work_ns[fleet.service_of[place]].max(1.0);
            let credits_min = f64::from(workers(place).max(1));
            Server {
                target_ns: TARGET_WORKS * work_ns,
                round_ns: (work_ns as u64).max(1),
                next_ns: 0,
                credits: credits_min,
                used: 0,
                clients: 0,
                credits_min,
            }
        };
        Breakwater {
            instances: fleet.instances(),
            servers: (0..fleet.instances()).map(server).collect(),
            sessions: vec![Session::default(); fleet.callers() * fleet.instances()],
        }
    }

    fn place(&self, from: Option<u32>, callee: u32) -> usize {
        caller(from) * self.instances + callee as usize
    }
}

impl Server {
    /// The rounds that have passed, at most a second's worth, each with the delay of now.
    fn control(&mut self, now_ns: u64, delay_ns: u64) {
        self.next_ns = self.next_ns.max(now_ns.saturating_sub(1_000_000_000));
        while self.next_ns <= now_ns {
            self.next_ns += self.round_ns;
            let late = (delay_ns as f64 - self.target_ns) / self.target_ns;
            if late >= 0.0 {
                self.credits *= (1.0 - BETA * late).max(0.5);
            } else {
                self.credits += (ALPHA * f64::from(self.clients)).max(1.0);
            }
            let most = f64::from(self.clients.max(1) * WINDOW_MAX);
            self.credits = self.credits.clamp(self.credits_min, most.max(self.credits_min));
        }
    }

    /// What a client is granted anew (`srpc_update_window`).
    fn grant(&mut self, session: &mut Session) {
        let available = self.credits as u32;
        let open = (available + session.granted).saturating_sub(self.used);
        let over = (open / self.clients.max(1)).max(1);
        let wanted = session.pending + session.wanted;
        let granted = match self.used.cmp(&available) {
            std::cmp::Ordering::Less | std::cmp::Ordering::Equal => (wanted + over).min(open),
            std::cmp::Ordering::Greater => session.granted.saturating_sub(1),
        };
        let granted = granted.max(session.pending).min(WINDOW_MAX).min(wanted + over);
        self.used = (self.used + granted).saturating_sub(session.granted);
        session.granted = granted;
    }
}

impl Local for Breakwater {
    fn may_send(&mut self, attempt: &Attempt) -> bool {
        let place = self.place(attempt.caller, attempt.callee);
        let (session, server) = (&mut self.sessions[place], &mut self.servers[attempt.callee as usize]);
        if !session.known {
            session.known = true;
            server.clients += 1;
        }
        if session.under_way >= session.window && session.under_way == 0 {
            // the demand message
            session.wanted = session.wanted.max(1);
            server.grant(session);
            session.window = session.granted;
        }
        if session.under_way >= session.window {
            session.wanted = (session.wanted + 1).min(WINDOW_MAX);
            return false;
        }
        session.under_way += 1;
        true
    }

    fn heard(&mut self, heard: &Heard) {
        let place = self.place(heard.attempt.caller, heard.attempt.callee);
        let session = &mut self.sessions[place];
        session.under_way -= 1;
        if let Some(window) = heard.word {
            session.window = window;
        }
    }

    fn may_enter(&mut self, arrival: &Arrival) -> Result<(), Retry> {
        let place = self.place(arrival.caller, arrival.place);
        let server = &mut self.servers[arrival.place as usize];
        server.control(arrival.now_ns, arrival.delay_ns);
        if arrival.delay_ns as f64 >= DROP_TARGETS * server.target_ns {
            return Err(Retry::AfterMs(0));
        }
        self.sessions[place].pending += 1;
        Ok(())
    }

    fn departs(&mut self, departure: &Departure) -> u32 {
        let place = self.place(departure.caller, departure.place);
        let session = &mut self.sessions[place];
        session.pending -= u32::from(departure.entered);
        self.servers[departure.place as usize].grant(session);
        // the demand has been heard
        session.wanted = 0;
        session.granted
    }

    fn second(&mut self, now_ns: u64, delays_ns: &[u64]) {
        for (server, delay_ns) in self.servers.iter_mut().zip(delays_ns) {
            server.control(now_ns, *delay_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::local::Outcome;
    use crate::rival::local::testing::{arrival, attempt, departure, heard};

    fn new() -> Breakwater {
        Breakwater::new(&Fleet::pair(1), |_| 4)
    }

    #[test]
    fn credits_rise_by_one_a_round_and_fall_by_how_late_the_queue_is() {
        let mut breakwater = new();
        assert!(breakwater.may_send(&attempt(0)));
        let server = &mut breakwater.servers[1];
        server.control(0, 0);
        let before = server.credits;
        server.control(100_000_000, 0);
        assert_eq!(server.credits, before + 10.0, "the work and so the round is 10 ms");
        // t = 80 ms, d = 2 t: each round takes 2 %
        let before = server.credits;
        server.control(110_000_000, 160_000_000);
        assert!((server.credits / before - 0.98).abs() < 1e-9);
        server.control(120_000_000, 800_000_000_000);
        assert_eq!(server.credits, server.credits_min.max(before * 0.98 * 0.5));
    }

    #[test]
    fn a_client_without_credits_does_not_send_and_learns_of_new_ones_by_answers() {
        let mut breakwater = new();
        let sent = (0..100).filter(|_| breakwater.may_send(&attempt(0))).count();
        assert!((1..=4).contains(&sent), "the server began with its four workers' credits: {sent}");
        for _ in 0..sent {
            breakwater.may_enter(&arrival(0)).unwrap();
        }
        let word = breakwater.departs(&departure(&arrival(0), 1_000_000_000));
        breakwater.heard(&heard(attempt(1_000_000_000), Outcome::Good, Some(word)));
        assert!(breakwater.may_send(&attempt(1_000_000_000)));
        assert!(word >= sent as u32, "nobody wanted what is open but this client: {word}");
    }

    #[test]
    fn twice_the_target_at_the_door_is_dropped() {
        let mut breakwater = new();
        let late = |delay_ns| Arrival { delay_ns, ..arrival(0) };
        assert!(breakwater.may_enter(&late(159_000_000)).is_ok());
        assert!(breakwater.may_enter(&late(160_000_000)).is_err());
    }

    #[test]
    fn what_is_granted_stays_near_what_there_is() {
        let mut breakwater = Breakwater::new(&Fleet::pair(1), |_| 10);
        // two clients at one server, asking as fast as they can for ten rounds
        for round in 0..200u64 {
            for from in [None, Some(0)] {
                let at = Attempt { caller: from, ..attempt(round * 1_000_000) };
                if breakwater.may_send(&at) {
                    let came = Arrival { caller: from, now_ns: at.now_ns, ..arrival(0) };
                    breakwater.may_enter(&came).unwrap();
                    let word = breakwater.departs(&departure(&came, at.now_ns));
                    breakwater.heard(&heard(at, Outcome::Good, Some(word)));
                }
            }
            let server = &breakwater.servers[1];
            let granted: u32 = breakwater.sessions.iter().map(|session| session.granted).sum();
            assert_eq!(server.used, granted);
            assert!(f64::from(granted) <= server.credits + 2.0, "{granted} of {}", server.credits);
        }
    }
}
