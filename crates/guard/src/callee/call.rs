//! One call with all its tries.

use super::{Callee, End, Stopped};
use crate::labels::Labels;
use crate::random::random;
use admission::{Retry, Ticket};
use std::time::Duration;

/// One call to a callee. Ask it for an [`Attempt`], make the try, tell how it ended; it says whether and when to try again.
#[derive(Debug)]
pub struct Call {
    callee: Callee,
    labels: Labels,
    attempts: u32,
}

/// One try under way. Dropping it says that the caller went away; a lost probe wedges nothing.
#[derive(Debug)]
pub struct Attempt {
    callee: Callee,
    ticket: Option<Ticket>,
    began_ms: u64,
    labels: Labels,
    timeout_ms: u32,
}

impl Callee {
    /// Begins a call. `labels` are those of the request that is being served, or [`Labels::default`].
    pub fn call(&self, labels: Labels) -> Call {
        Call { callee: self.clone(), labels, attempts: 0 }
    }
}

impl Call {
    /// The next try.
    ///
    /// # Errors
    /// The breaker is open, the callee is left alone because it refuses, or the deadline has passed.
    pub fn attempt(&mut self) -> Result<Attempt, Stopped> {
        let now_ms = self.callee.inner.clock.now_ms();
        let left_ms = self.labels.deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(now_ms));
        if left_ms == Some(0) {
            self.callee.machines().too_late();
            return Err(Stopped::Deadline);
        }
        let class = self.labels.criticality.unwrap_or_default();
        let (ticket, timeout_ms) = self.callee.begin(class, self.attempts == 0, now_ms)?;
        self.attempts += 1;
        let timeout_ms = u64::from(timeout_ms).min(left_ms.unwrap_or(u64::MAX)) as u32;
        let deadline_ms = Some(now_ms + u64::from(timeout_ms));
        let labels = Labels { attempt: self.attempts, deadline_ms, ..self.labels };
        Ok(Attempt { callee: self.callee.clone(), ticket: Some(ticket), began_ms: now_ms, labels, timeout_ms })
    }

    /// Tells how a try ended; gives how long to wait before the next, or nothing if there is none.
    pub fn end(&mut self, attempt: Attempt, end: End) -> Option<Duration> {
        attempt.end(end);
        let hint = match end {
            End::Success | End::Ignored | End::Refused(Retry::Never) => return None,
            End::Failure => None,
            End::Refused(retry) => Some(retry),
        };
        let settings = &self.callee.inner.settings;
        if self.attempts >= settings.attempts_max {
            return None;
        }
        let delay_ms = settings.backoff().delay_ms(self.attempts - 1, hint, random())?;
        let now_ms = self.callee.inner.clock.now_ms();
        if self.labels.deadline_ms.is_some_and(|deadline_ms| now_ms + delay_ms >= deadline_ms) {
            return None;
        }
        self.callee.machines().may_retry(now_ms).then(|| Duration::from_millis(delay_ms))
    }
}

impl Attempt {
    /// How long the try may take: the timeout in force, or what is left until the deadline.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms))
    }

    /// When it began, by the callee's clock.
    pub(crate) fn began_ms(&self) -> u64 {
        self.began_ms
    }

    /// The try's number; 1 is the first.
    pub fn number(&self) -> u32 {
        self.labels.attempt
    }

    /// What the try says of itself: give it to [`Labels::write`]. Its deadline is the end of this try's timeout.
    pub fn labels(&self) -> Labels {
        self.labels
    }

    /// After how long it may be sent a second time, if the settings say so and all is calm by then
    /// ([`Callee::may_hedge`]).
    pub fn hedge_after(&self) -> Option<Duration> {
        let after_ms = self.callee.inner.settings.hedge_after_ms.filter(|after_ms| *after_ms < self.timeout_ms)?;
        Some(Duration::from_millis(u64::from(after_ms)))
    }

    /// Tells how it ended. For a try outside of a [`Call`]'s loop.
    pub fn end(mut self, end: End) {
        self.record(end);
    }

    fn record(&mut self, end: End) {
        if let Some(ticket) = self.ticket.take() {
            let now_ms = self.callee.inner.clock.now_ms();
            let (class, took_ms) = (self.labels.criticality.unwrap_or_default(), now_ms.saturating_sub(self.began_ms));
            self.callee.end(class, ticket, end, took_ms, now_ms);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.record(End::Ignored);
    }
}
