//! Letters under way: each is delayed, some are lost.

use crate::world::dice::Dice;
use std::collections::BTreeMap;

/// A way that letters take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Way {
    /// Every letter takes at least this long, milliseconds.
    pub delay_ms: u32,
    /// Mean of what comes on top (exponential), milliseconds.
    pub jitter_ms: u32,
    /// This share never arrives, 0..1.
    pub loss: f64,
}

/// What is under way, in the order of arrival.
pub(super) struct Post<T> {
    way: Way,
    dice: Dice,
    keeps_order: bool,
    last_ns: u64,
    sent: u64,
    letters: BTreeMap<(u64, u64), (u64, T)>,
}

/// A letter that has arrived.
pub(super) struct Letter<T> {
    pub(super) sent_ns: u64,
    pub(super) arrives_ns: u64,
    pub(super) item: T,
}

impl<T> Post<T> {
    /// Letters may overtake each other.
    pub(super) fn new(way: Way, dice: Dice) -> Post<T> {
        Post { way, dice, keeps_order: false, last_ns: 0, sent: 0, letters: BTreeMap::new() }
    }

    /// Letters arrive in the order in which they were sent.
    pub(super) fn in_order(way: Way, dice: Dice) -> Post<T> {
        Post { keeps_order: true, ..Post::new(way, dice) }
    }

    pub(super) fn send(&mut self, sent_ns: u64, item: T) {
        let jitter_ns = self.dice.exponential(f64::from(self.way.jitter_ms) * 1e6) as u64;
        if self.dice.chance(self.way.loss) {
            return;
        }
        let mut arrives_ns = sent_ns + u64::from(self.way.delay_ms) * 1_000_000 + jitter_ns;
        if self.keeps_order {
            arrives_ns = arrives_ns.max(self.last_ns);
            self.last_ns = arrives_ns;
        }
        self.sent += 1;
        self.letters.insert((arrives_ns, self.sent), (sent_ns, item));
    }

    /// The next letter that has arrived by `now_ns`.
    pub(super) fn next_due(&mut self, now_ns: u64) -> Option<Letter<T>> {
        let first = self.letters.first_entry().filter(|first| first.key().0 <= now_ns)?;
        let arrives_ns = first.key().0;
        let (sent_ns, item) = first.remove();
        Some(Letter { sent_ns, arrives_ns, item })
    }

    /// All letters that have arrived by `now_ns`.
    pub(super) fn due(&mut self, now_ns: u64) -> impl Iterator<Item = Letter<T>> {
        std::iter::from_fn(move || self.next_due(now_ns))
    }
}
