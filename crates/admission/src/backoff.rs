//! How long to wait before the next try: exponential, capped, with full jitter (Brooker, "Exponential Backoff And
//! Jitter", AWS Architecture Blog, 2015), and never before the server's own hint.

use crate::Retry;

/// The waiting times of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first retry.
    pub base_ms: u32,
    /// The longest wait before any retry.
    pub cap_ms: u32,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { base_ms: 50, cap_ms: 5000 }
    }
}

impl Backoff {
    /// The wait before retry number `retry` (0 is the first), in milliseconds; `None` if the server said never.
    pub fn delay_ms(self, retry: u32, hint: Option<Retry>, random: u64) -> Option<u64> {
        let after_ms = match hint {
            Some(Retry::Never) => return None,
            Some(Retry::AfterMs(after_ms)) => u64::from(after_ms),
            None => 0,
        };
        let doubled = u64::from(self.base_ms).checked_shl(retry.min(32)).unwrap_or(u64::MAX);
        let ceiling_ms = doubled.min(u64::from(self.cap_ms));
        Some(after_ms + random % (ceiling_ms + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_wait_lies_between_the_hint_and_the_capped_power(retry in 0u32..200, after in 0u32..1000, random: u64) {
            let backoff = Backoff { base_ms: 10, cap_ms: 1000 };
            let wait = backoff.delay_ms(retry, Some(Retry::AfterMs(after)), random).unwrap();
            let ceiling = if retry < 7 { 10u64 << retry } else { 1000 };
            prop_assert!((u64::from(after)..=u64::from(after) + ceiling).contains(&wait));
            prop_assert_eq!(backoff.delay_ms(retry, Some(Retry::Never), random), None);
        }
    }
}
