//! deviation_front, to be filled.
