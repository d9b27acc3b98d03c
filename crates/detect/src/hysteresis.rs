//! hysteresis, to be filled.
