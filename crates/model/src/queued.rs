//! How long a request lay in a queue inside the service, as its guard says, in one byte: a span has no room for more.

use serde::{Deserialize, Serialize};

/// Milliseconds in a queue, or nothing said. Up to 31 ms exactly, then to a sixteenth below, as durations in rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Queued(u8);

impl Queued {
    /// Nothing is said.
    pub const UNKNOWN: Queued = Queued(0);

    /// So many milliseconds; more than eight minutes are eight.
    pub fn of_ms(ms: u64) -> Queued {
        // Sixteen steps to each doubling, and one below them all for what is not said.
        let shift = ms.checked_ilog2().unwrap_or(0).saturating_sub(4);
        let step = u64::from(shift) * 16 + (ms >> shift);
        Queued(u8::try_from(step + 1).unwrap_or(u8::MAX))
    }

    /// Is it said at all?
    pub fn is_known(self) -> bool {
        self != Queued::UNKNOWN
    }

    /// Milliseconds; zero where nothing is said.
    pub fn ms(self) -> u64 {
        let step = u64::from(self.0.saturating_sub(1));
        let shift = (step / 16).saturating_sub(1);
        (step - shift * 16) << shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_to_a_sixteenth() {
        assert_eq!((Queued::UNKNOWN.ms(), Queued::UNKNOWN.is_known()), (0, false));
        assert!(Queued::of_ms(0).is_known());
        for ms in (0..5_000).chain((5_000..490_000).step_by(777)) {
            let kept = Queued::of_ms(ms).ms();
            assert!(kept <= ms && (ms - kept) * 16 <= ms, "{ms} ms is kept as {kept}");
            assert!(ms > 31 || kept == ms, "{ms} ms is kept as {kept}");
            assert!(Queued::of_ms(ms) <= Queued::of_ms(ms + 1), "{ms}");
        }
        assert_eq!(Queued::of_ms(u64::MAX), Queued::of_ms(600_000));
    }
}
