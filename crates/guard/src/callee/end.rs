//! How a try ended, and why there is no other.

use admission::{CallEnd, OpenReason, Retry};
use std::fmt;

/// How one try ended, in the words of the client side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The callee did its work.
    Success,
    /// The callee failed, or did not answer in time: another try may help.
    Failure,
    /// The callee refused to work: no sign of ill health, and it says whether to try again.
    Refused(Retry),
    /// It says nothing about the callee: the request was wrong, or the caller went away.
    Ignored,
}

impl End {
    pub(crate) fn for_breaker(self) -> CallEnd {
        match self {
            End::Success => CallEnd::Success,
            End::Failure => CallEnd::Failure,
            End::Refused(_) | End::Ignored => CallEnd::Ignored,
        }
    }
}

/// Why a call, or another try of it, is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The breaker is open.
    Breaker {
        /// Why it is.
        reason: OpenReason,
        /// When it is worth asking again, milliseconds from now.
        retry_after_ms: u64,
    },
    /// The deadline of the call has passed.
    Deadline,
}

impl fmt::Display for Stopped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Breaker { reason, retry_after_ms } => {
                write!(out, "not called: the circuit breaker is open ({reason}); ask again in {retry_after_ms} ms")
            }
            Stopped::Deadline => out.write_str("not called: the deadline has passed"),
        }
    }
}

impl std::error::Error for Stopped {}
