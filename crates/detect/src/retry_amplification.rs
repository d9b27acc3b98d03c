//! retry_amplification, to be filled.
