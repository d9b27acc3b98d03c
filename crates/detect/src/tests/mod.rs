//! The made-up collapse, its benign twins, and made-up incidents to rank.

mod fleet;
mod inversions;
mod origins;
mod outliers;
mod signatures;
