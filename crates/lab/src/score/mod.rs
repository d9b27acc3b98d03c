//! What a run came to, in numbers that can be compared.
//!
//! Everything is counted from the onset of the cause to the end of the run, by the scenario's own terms. A score that has no
//! meaning for a run (the time to detect of a policy that detects nothing) is absent, and stays so in means.

mod board;
mod ceiling;
mod fluid;
mod judge;
mod metric;
mod simplex;
mod stat;

pub use board::{Board, Cell, Entry};
pub use ceiling::Ceiling;
pub use judge::Scores;
pub use metric::{Better, METRICS, Metric};
pub use stat::Stat;
