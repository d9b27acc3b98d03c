//! `throttle`: client-side adaptive throttling (Google SRE book, ch. 21, "Handling Overload").
//!
//! Each client keeps, per backend and criticality over a window, the requests it wanted to send and those that were
//! accepted, and refuses a request by itself with probability `max(0, (requests − K · accepts) / (requests + 1))`, K = 2. The window is six seconds; of the
//! book's two minutes, 24 s and 6 s (aegis takes 3 s) it was the best over the scenarios.
//! Retries follow the same chapter: at most a tenth of a client's requests. An accept is a good answer, as in Envoy's
//! admission control and aegis: plain backends do not refuse, they fail. Also from aegis: nothing is refused before a
//! hundred requests.

use super::fleet::{Fleet, caller};
use super::local::{Attempt, Heard, Local, Outcome};
use crate::world::dice::Dice;
use model::LEVELS;

const K: f64 = 2.0;
const RETRY_SHARE: f64 = 0.1;
/// Fewer requests in the window say nothing: their answers may still be on the way.
const REQUESTS_MIN: f64 = 100.0;
/// The window: six seconds.
const BUCKETS: usize = 12;
const BUCKET_NS: u64 = 500_000_000;

/// The policy.
pub(crate) struct Throttle {
    fleet: Fleet,
    /// By caller, callee's service and criticality.
    books: Vec<Book>,
    dice: Dice,
}

/// What a client counted in the window.
#[derive(Clone, Copy, Default)]
struct Book {
    buckets: [Counts; BUCKETS],
    /// The number of the newest bucket since the beginning.
    newest: u64,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    requests: u32,
    accepts: u32,
    retries: u32,
}

impl Book {
    fn bucket(&mut self, now_ns: u64) -> &mut Counts {
        let bucket = now_ns / BUCKET_NS;
        while self.newest < bucket {
            self.newest += 1;
            self.buckets[(self.newest % BUCKETS as u64) as usize] = Counts::default();
        }
        &mut self.buckets[(bucket % BUCKETS as u64) as usize]
    }

    fn sum(&self, count: impl Fn(&Counts) -> u32) -> f64 {
        f64::from(self.buckets.iter().map(count).sum::<u32>())
    }

    /// The probability that a request is not sent.
    fn refusal(&self) -> f64 {
        let (requests, accepts) = (self.sum(|counts| counts.requests), self.sum(|counts| counts.accepts));
        if requests < REQUESTS_MIN { 0.0 } else { ((requests - K * accepts) / (requests + 1.0)).max(0.0) }
    }
}

impl Throttle {
    pub(crate) fn new(fleet: Fleet, dice: Dice) -> Throttle {
        let books = vec![Book::default(); fleet.callers() * fleet.services * LEVELS];
        Throttle { fleet, books, dice }
    }

    fn place(&self, from: Option<u32>, edge: u32) -> usize {
        (caller(from) * self.fleet.services + self.fleet.callee_of[edge as usize]) * LEVELS
    }
}

impl Local for Throttle {
    fn may_send(&mut self, attempt: &Attempt) -> bool {
        let place = self.place(attempt.caller, attempt.edge) + attempt.criticality.index();
        let book = &mut self.books[place];
        book.bucket(attempt.now_ns);
        let refusal = book.refusal();
        book.bucket(attempt.now_ns).requests += 1;
        !self.dice.chance(refusal)
    }

    fn may_retry(&mut self, edge: u32, from: u32, now_ns: u64) -> bool {
        let place = self.place(Some(from), edge);
        let books = &mut self.books[place..place + LEVELS];
        for book in books.iter_mut() {
            book.bucket(now_ns);
        }
        let requests: f64 = books.iter().map(|book| book.sum(|counts| counts.requests)).sum();
        let retries: f64 = books.iter().map(|book| book.sum(|counts| counts.retries)).sum();
        // the requests count the retries among them
        let allowed = retries + 1.0 <= RETRY_SHARE * (requests - retries);
        books[0].bucket(now_ns).retries += u32::from(allowed);
        allowed
    }

    fn heard(&mut self, heard: &Heard) {
        if heard.outcome == Outcome::Good {
            let attempt = &heard.attempt;
            let place = self.place(attempt.caller, attempt.edge) + attempt.criticality.index();
            self.books[place].bucket(attempt.now_ns).accepts += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::local::testing::{attempt, heard};

    /// Sends `count` requests, of which a backend accepts the share that its capacity allows; gives what was sent.
    fn send(throttle: &mut Throttle, count: u64, accepts: impl Fn(u64) -> bool) -> u64 {
        let mut sent = 0;
        for number in 0..count {
            let attempt = attempt(number * 1_000_000);
            if throttle.may_send(&attempt) {
                sent += 1;
                let outcome = if accepts(number) { Outcome::Good } else { Outcome::Failed };
                throttle.heard(&heard(attempt, outcome, None));
            }
        }
        sent
    }

    fn new() -> Throttle {
        Throttle::new(Fleet::pair(1), Dice::new(1, 4))
    }

    #[test]
    fn a_client_whose_requests_are_accepted_throttles_nothing() {
        assert_eq!(send(&mut new(), 10_000, |_| true), 10_000);
        assert_eq!(send(&mut new(), 10_000, |number| number % 2 == 0), 10_000, "K = 2 lets half of them fail");
    }

    #[test]
    fn a_backend_is_asked_twice_what_it_accepts() {
        // the book: K = 2 sends the backend about as many rejected requests as accepted ones
        let mut throttle = new();
        let (mut sent, mut accepted) = (0u32, 0u32);
        for number in 0..60_000u64 {
            let attempt = attempt(number * 1_000_000);
            if throttle.may_send(&attempt) {
                sent += 1;
                // the backend serves 100 of 1000 requests a second
                let good = f64::from(accepted) < number as f64 * 0.1;
                accepted += u32::from(good);
                throttle.heard(&heard(attempt, if good { Outcome::Good } else { Outcome::Failed }, None));
            }
        }
        let ratio = f64::from(sent) / f64::from(accepted);
        assert!((1.8..2.3).contains(&ratio), "{sent} sent, {accepted} accepted");
    }

    #[test]
    fn a_dead_backend_is_still_asked_now_and_then() {
        let sent = send(&mut new(), 50_000, |_| false);
        assert!((105..150).contains(&sent), "{sent}: the probability stays below 1");
    }

    #[test]
    fn retries_are_a_tenth_of_requests() {
        let mut throttle = new();
        (0..1000).for_each(|_| _ = throttle.may_send(&attempt(0)));
        let mut retries = 0;
        while throttle.may_retry(0, 0, 0) {
            retries += 1;
            throttle.may_send(&Attempt { number: 2, ..attempt(0) });
        }
        assert_eq!(retries, 100);
    }
}
