//! The world's own books: every request is offered once and ends once.

use model::LEVELS;

/// One virtual second of the whole fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that clients began.
    pub offered: u64,
    /// The same, by criticality, lowest first.
    pub offered_by: [u64; LEVELS],
    /// Requests that were answered well within the client's patience.
    pub good: u64,
    /// The same, by criticality, lowest first.
    pub good_by: [u64; LEVELS],
    /// Requests that failed for good.
    pub failed: u64,
    /// Requests whose last answer was a refusal on purpose.
    pub shed: u64,
    /// Calls between services, and of clients, that were first attempts.
    pub first_attempts: u64,
    /// All calls, retries included.
    pub attempts: u64,
    /// Retries that a budget did not allow.
    pub retries_refused: u64,
    /// Refusals on purpose anywhere in the fleet, by criticality, lowest first.
    pub sheds: [u64; LEVELS],
    /// Refusals because a queue was full.
    pub overflows: u64,
    /// Requests that a queue dropped because their deadline had passed.
    pub expired: u64,
    /// Attempts that found nobody, or whose callee died over them.
    pub broken: u64,
    /// Requests that a service finished although nobody waited any more.
    pub wasted: u64,
    /// Requests that waited in queues at its end, over the whole fleet.
    pub queued: u64,
}

impl Second {
    /// Adds the counts of `other`, which follows; how many wait is what it says last.
    pub fn add(&mut self, other: &Second) {
        self.offered += other.offered;
        self.good += other.good;
        self.failed += other.failed;
        self.shed += other.shed;
        self.first_attempts += other.first_attempts;
        self.attempts += other.attempts;
        self.retries_refused += other.retries_refused;
        self.overflows += other.overflows;
        self.expired += other.expired;
        self.broken += other.broken;
        self.wasted += other.wasted;
        self.queued = other.queued;
        for level in 0..LEVELS {
            self.offered_by[level] += other.offered_by[level];
            self.good_by[level] += other.good_by[level];
            self.sheds[level] += other.sheds[level];
        }
    }
}
