//! Findings to plan to commands.

mod policy;

pub use policy::{Limits, ModeRule, Pace, Policy};
