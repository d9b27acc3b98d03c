//! tests, to be filled.
