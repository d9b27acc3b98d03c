//! The client side's settings.

use super::{SettingsError, wrong};
use admission::{Backoff, BreakerConfig, BreakerMode, BreakerWindow, ThrottleConfig};
use serde::{Deserialize, Serialize};

/// How calls to a callee are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// How long one try may take, milliseconds.
    pub timeout_ms: u32,
    /// Tries of one call, the first included. 1 never retries.
    pub attempts_max: u32,
    /// Retries as a share of first attempts, in 1/1000.
    pub retry_ratio_permille: u16,
    /// Retries a second that are always there, for callers with little traffic; not while a command is in force.
    pub retry_reserve_per_s: u32,
    /// The longest wait before the first retry, milliseconds; it doubles.
    pub backoff_base_ms: u32,
    /// The longest wait before any retry, milliseconds.
    pub backoff_cap_ms: u32,
    /// A callee that refuses is asked no more than this times what it accepts, in 1/1000; 0 asks it always.
    pub throttle_k_permille: u32,
    /// A call that has no answer after so many milliseconds is sent a second time, if it may be sent twice, if all is calm
    /// and if the retry budget pays; the first good answer counts. Left out: never.
    pub hedge_after_ms: Option<u32>,
    /// The circuit breaker.
    pub breaker: BreakerSettings,
}

/// The circuit breaker towards a callee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// `auto`, `forced_open`, `forced_closed`, `disabled` or `metrics_only`.
    pub mode: Mode,
    /// It looks at the last so many calls; not together with `window_ms`.
    pub window_calls: Option<u32>,
    /// It looks at the calls of the last so many milliseconds; not together with `window_calls`.
    pub window_ms: Option<u32>,
    /// Fewer calls than this in the window open nothing.
    pub calls_min: u32,
    /// It opens at this share of failures, in 1/1000; above 1000 is never.
    pub failure_permille: u16,
    /// It opens at this share of slow calls, in 1/1000; above 1000 is never.
    pub slow_permille: u16,
    /// A call is slow from this duration on, milliseconds.
    pub slow_call_ms: u32,
    /// It opens after so many failures in a row; 0 is never.
    pub consecutive_failures: u32,
    /// How long it is open the first time, milliseconds; doubles until it has recovered.
    pub open_base_ms: u32,
    /// It is never open for longer than this (before jitter), milliseconds.
    pub open_max_ms: u32,
    /// How much the open time differs between instances, in 1/1000 either way.
    pub jitter_permille: u16,
    /// How many probes decide whether the callee is back.
    pub probes: u32,
    /// A probe that is not answered within this time has failed, milliseconds.
    pub probe_timeout_ms: u32,
    /// How long the ramp takes after the probes have succeeded, milliseconds.
    pub ramp_ms: u32,
    /// The share of calls that the ramp begins with, in 1/1000.
    pub ramp_start_permille: u16,
}

/// What the owner decided by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
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

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        let backoff = Backoff::default();
        ClientSettings {
            timeout_ms: 1000,
            attempts_max: 3,
            retry_ratio_permille: 200,
            retry_reserve_per_s: 1,
            backoff_base_ms: backoff.base_ms,
            backoff_cap_ms: backoff.cap_ms,
            throttle_k_permille: ThrottleConfig::default().k_permille,
            hedge_after_ms: None,
            breaker: BreakerSettings::default(),
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> BreakerSettings {
        let config = BreakerConfig::default();
        BreakerSettings {
            mode: Mode::Auto,
            window_calls: None,
            window_ms: None,
            calls_min: config.calls_min,
            failure_permille: config.failure_permille,
            slow_permille: config.slow_permille,
            slow_call_ms: config.slow_call_ms,
            consecutive_failures: config.consecutive_failures,
            open_base_ms: config.open_base_ms,
            open_max_ms: config.open_max_ms,
            jitter_permille: config.jitter_permille,
            probes: config.probes,
            probe_timeout_ms: config.probe_timeout_ms,
            ramp_ms: config.ramp_ms,
            ramp_start_permille: config.ramp_start_permille,
        }
    }
}

impl ClientSettings {
    pub(super) fn check(&self, at: &str) -> Result<(), SettingsError> {
        let BreakerSettings { window_calls, window_ms, .. } = self.breaker;
        if window_calls.is_some() && window_ms.is_some() {
            return Err(wrong(&format!("{at}.breaker"), "has window_calls and window_ms: write one of them"));
        }
        if window_calls == Some(0) || window_ms == Some(0) {
            return Err(wrong(&format!("{at}.breaker"), "has an empty window: leave it out for the last 100 calls"));
        }
        if (1..1000).contains(&self.throttle_k_permille) {
            return Err(wrong(&format!("{at}.throttle_k_permille"), "is below 1000: it would refuse what is accepted"));
        }
        if self.timeout_ms == 0 {
            return Err(wrong(&format!("{at}.timeout_ms"), "is 0: every call would fail"));
        }
        Ok(())
    }

    pub(crate) fn throttle(&self) -> ThrottleConfig {
        ThrottleConfig { k_permille: self.throttle_k_permille, ..ThrottleConfig::default() }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff { base_ms: self.backoff_base_ms, cap_ms: self.backoff_cap_ms }
    }
}

impl BreakerSettings {
    pub(crate) fn config(&self) -> BreakerConfig {
        let window = match (self.window_calls, self.window_ms) {
            (_, Some(window_ms)) => BreakerWindow::Time { window_ms },
            (Some(calls), None) => BreakerWindow::Calls { calls },
            (None, None) => BreakerConfig::default().window,
        };
        BreakerConfig {
            window,
            calls_min: self.calls_min,
            failure_permille: self.failure_permille,
            slow_permille: self.slow_permille,
            slow_call_ms: self.slow_call_ms,
            consecutive_failures: self.consecutive_failures,
            open_base_ms: self.open_base_ms,
            open_max_ms: self.open_max_ms,
            jitter_permille: self.jitter_permille,
            probes: self.probes,
            probe_timeout_ms: self.probe_timeout_ms,
            ramp_ms: self.ramp_ms,
            ramp_start_permille: self.ramp_start_permille,
        }
    }
}

impl From<Mode> for BreakerMode {
    fn from(mode: Mode) -> BreakerMode {
        match mode {
            Mode::Auto => BreakerMode::Auto,
            Mode::ForcedOpen => BreakerMode::ForcedOpen,
            Mode::ForcedClosed => BreakerMode::ForcedClosed,
            Mode::Disabled => BreakerMode::Disabled,
            Mode::MetricsOnly => BreakerMode::MetricsOnly,
        }
    }
}
