//! Fail points, compiled only with the feature `testing`: the telemetry of services with these names crashes the part that
//! meets it.

use engine::Input;
use model::{NameId, Span};

/// Crashes the decoder: it need only stand in the payload.
pub const CRASHES_DECODER: &str = "tripwire-decoder";
/// Crashes a shard.
pub const CRASHES_SHARD: &str = "tripwire-shard";
/// Crashes the engine.
pub const CRASHES_ENGINE: &str = "tripwire-engine";

pub(crate) fn decoder(payload: &[u8]) {
    let wire = CRASHES_DECODER.as_bytes();
    assert!(!payload.windows(wire.len()).any(|bytes| bytes == wire), "a fail point in the decoder");
}

pub(crate) fn shard(spans: &[Span]) {
    let wire = NameId::of(CRASHES_SHARD);
    assert!(!spans.iter().any(|span| span.service == wire), "a fail point in a shard");
}

pub(crate) fn engine(input: &Input) {
    let Input::Window(window) = input else { return };
    let wire = NameId::of(CRASHES_ENGINE);
    assert!(!window.services.iter().any(|row| row.key.service == wire), "a fail point in the engine");
}
