//! Whole traces: a bounded sample of them, chosen by the hash of their ids, and each as a tree.
//!
//! Windows count calls and forget spans within seconds; some questions need whole requests: which spans lost their parents,
//! whether the failure of a call failed its request, what lies on the way of a request. No clock, no IO; what is kept depends
//! on the ids and the bound alone, never on the order of arrival within what fits.

mod sample;
mod tree;

pub use sample::Sample;
pub use tree::{Trace, traces};
