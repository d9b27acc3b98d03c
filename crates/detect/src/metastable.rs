//! metastable, to be filled.
