//! Learning under made-up traffic.
