//! Nothing: see `benches/` and `examples/`.
