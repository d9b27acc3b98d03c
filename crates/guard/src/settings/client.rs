//! The client side's settings.

use super::{SettingsError, wrong};
use admission::{Backoff, BreakerConfig, BreakerWindow, ThrottleConfig};
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
    pub breaker: BreakerConfig,
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
            breaker: BreakerConfig::default(),
        }
    }
}

impl ClientSettings {
    pub(super) fn check(&self, at: &str) -> Result<(), SettingsError> {
        if let BreakerWindow::Calls(0) | BreakerWindow::Ms(0) = self.breaker.window {
            return Err(wrong(&format!("{at}.breaker.window"), "is empty: leave it out for the last 100 calls"));
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
