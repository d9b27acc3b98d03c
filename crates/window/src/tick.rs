//! Event time in ticks: windows, and the slices of a window in which its spans are settled while it is still open.

/// Slices of a window: its length is a multiple of so many nanoseconds. More of them leave less to settle when it closes, and
/// cost a look at each.
pub const SLICES: u64 = 125;

/// The number of a slice, counted through all windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

impl Tick {
    /// That of a span that has not been read.
    pub(crate) const UNSEEN: Tick = Tick(u64::MAX);

    /// The length of windows that slices divide evenly, at least as long as this; nanoseconds.
    pub(crate) fn even_ns(width_ns: u64) -> u64 {
        width_ns.max(1).next_multiple_of(SLICES)
    }

    /// The slice in which `at_ns` lies, in windows of this (even) length.
    #[inline]
    pub(crate) fn of(at_ns: u64, width_ns: u64) -> Tick {
        Tick(at_ns / (width_ns / SLICES))
    }

    /// The first slice of a window.
    pub(crate) fn first_of(window: u64) -> Tick {
        Tick(window.saturating_mul(SLICES))
    }

    /// The last slice of a window: what counts by then is all that counts by the window's end.
    #[inline]
    pub(crate) fn last_of(window: u64) -> Tick {
        Tick(window.saturating_mul(SLICES).saturating_add(SLICES - 1))
    }

    /// The slice after which it is looked at again what counts at `tick`, and was looked at after this one: after four times as
    /// long. None that comes before the window closes.
    #[inline]
    pub(crate) fn again(self, tick: Tick) -> Option<Tick> {
        let next = Tick(self.0 + 3 * self.0.saturating_sub(tick.0).max(1));
        (next.window() == self.window()).then_some(next)
    }

    /// When it begins, Unix nanoseconds.
    #[inline]
    pub(crate) fn start_ns(self, width_ns: u64) -> u64 {
        self.0.saturating_mul(width_ns / SLICES)
    }

    /// Its place among the slices of its window.
    #[inline]
    pub(crate) fn slice(self) -> usize {
        (self.0 % SLICES) as usize
    }

    /// The window in which it lies.
    #[inline]
    pub(crate) fn window(self) -> u64 {
        self.0 / SLICES
    }
}
