//! What is wanted of the whole pipeline, readable from every thread without waiting.

use crate::state::locked;
use crate::summary::Ended;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How much is finished before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Drain {
    /// Nothing is wanted.
    None = 0,
    /// Windows up to the watermark; open ones are read again at the next start.
    AtWatermark = 1,
    /// Everything that was read: the input has ended.
    Everything = 2,
    /// Stop at once.
    Forced = 3,
}

/// The wanted end. It only ever becomes more urgent.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    drain: AtomicU8,
    deadline: Mutex<Option<Instant>>,
}

impl Signals {
    /// Asks for the end within `within`. A drain that is already wanted keeps its deadline.
    pub(crate) fn request(&self, drain: Drain, within: Duration) {
        locked(&self.deadline).get_or_insert_with(|| Instant::now() + within);
        self.drain.fetch_max(drain as u8, Ordering::SeqCst);
    }

    /// What is wanted now.
    pub(crate) fn wanted(&self) -> Drain {
        match self.drain.load(Ordering::SeqCst) {
            0 => Drain::None,
            1 => Drain::AtWatermark,
            2 => Drain::Everything,
            _ => Drain::Forced,
        }
    }

    /// Is the drain's time over, or must it end at once?
    pub(crate) fn overdue(&self) -> bool {
        self.wanted() == Drain::Forced || locked(&self.deadline).is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// How it ended, when the engine finishes now. After a forced end the parts leave in order too, and may have left
    /// before anybody had to be told: what was under way is uncommitted all the same.
    pub(crate) fn ended(&self) -> Ended {
        match self.wanted() {
            Drain::Forced => Ended::Forced,
            _ => Ended::Drained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_end_only_becomes_more_urgent() {
        let signals = Signals::default();
        assert_eq!((signals.wanted(), signals.overdue()), (Drain::None, false));
        signals.request(Drain::Everything, Duration::from_secs(60));
        signals.request(Drain::AtWatermark, Duration::ZERO);
        assert_eq!((signals.wanted(), signals.overdue()), (Drain::Everything, false));
        signals.request(Drain::Forced, Duration::ZERO);
        assert!(signals.overdue());
    }

    #[test]
    fn a_forced_end_is_said_to_be_forced_though_every_part_has_left_in_order() {
        let signals = Signals::default();
        signals.request(Drain::Everything, Duration::from_secs(60));
        assert_eq!(signals.ended(), Ended::Drained);
        signals.request(Drain::Forced, Duration::ZERO);
        assert_eq!(signals.ended(), Ended::Forced);
    }
}
