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
    /// The callee refuses so much that it is left alone.
    Throttled {
        /// The share of calls of this class that is not made, in 1/1000.
        refused_permille: u32,
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
            Stopped::Throttled { refused_permille } => {
                write!(out, "not called: the callee refuses, and {refused_permille} of 1000 calls are spared it")
            }
            Stopped::Deadline => out.write_str("not called: the deadline has passed"),
        }
    }
}

impl std::error::Error for Stopped {}
