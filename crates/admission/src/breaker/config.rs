//! When a breaker opens, how long it stays open, and how it comes back.

use serde::{Deserialize, Serialize};

/// Which calls are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerWindow {
    /// The last so many calls.
    Calls(u32),
    /// The calls of the last so many milliseconds.
    Ms(u32),
}

/// What the owner decided by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerMode {
    /// It works.
    #[default]
    Auto,
    /// It refuses everything.
    ForcedOpen,
    /// It lets everything pass, and counts.
    ForcedClosed,
    /// It lets everything pass, and counts nothing.
    Disabled,
    /// It lets everything pass, and says what phase it would be in.
    MetricsOnly,
}

/// The thresholds, and what the owner decided by hand. Changing them keeps what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// What the owner decided by hand; it stands above any command.
    pub mode: BreakerMode,
    /// Which calls are looked at.
    pub window: BreakerWindow,
    /// Fewer calls than this in the window open nothing.
    pub calls_min: u32,
    /// It opens at this share of failures, in 1/1000; above 1000 is never.
    pub failure_permille: u16,
    /// It opens at this share of slow calls, in 1/1000; above 1000 is never.
    pub slow_permille: u16,
    /// A call is slow from this duration on.
    pub slow_call_ms: u32,
    /// It opens after so many failures in a row; 0 is never.
    pub consecutive_failures: u32,
    /// How long it is open the first time. Doubles with each opening that follows without a full recovery.
    pub open_base_ms: u32,
    /// It is never open for longer than this (before jitter).
    pub open_max_ms: u32,
    /// How much the open time differs between breakers, in 1/1000 either way.
    pub jitter_permille: u16,
    /// How many probes decide in the half-open phase.
    pub probes: u32,
    /// A probe that is not answered within this time has failed.
    pub probe_timeout_ms: u32,
    /// How long the ramp takes after the probes have succeeded.
    pub ramp_ms: u32,
    /// The share of calls that the ramp begins with, in 1/1000.
    pub ramp_start_permille: u16,
}

impl Default for BreakerConfig {
    fn default() -> BreakerConfig {
        BreakerConfig {
            mode: BreakerMode::Auto,
            window: BreakerWindow::Calls(100),
            calls_min: 20,
            failure_permille: 500,
            slow_permille: 1001,
            slow_call_ms: 60_000,
            consecutive_failures: 0,
            open_base_ms: 1000,
            open_max_ms: 60_000,
            jitter_permille: 500,
            probes: 3,
            probe_timeout_ms: 10_000,
            ramp_ms: 10_000,
            ramp_start_permille: 100,
        }
    }
}

impl BreakerConfig {
    /// How long the opening number `opening` (0 is the first) lasts: `min(max, base × 2^n) × (1 ± jitter)`.
    pub fn open_ms(&self, opening: u32, random: u64) -> u64 {
        let doubled = u64::from(self.open_base_ms).checked_shl(opening.min(32)).unwrap_or(u64::MAX);
        let capped_ms = doubled.min(u64::from(self.open_max_ms));
        let jitter = u64::from(self.jitter_permille.min(1000));
        capped_ms * (1000 - jitter + random % (2 * jitter + 1)) / 1000
    }
}
