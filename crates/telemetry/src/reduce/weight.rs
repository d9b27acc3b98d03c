//! How many spans a sampled span stands for, and whether its sampler can be reconciled at all.
//!
//! Consistent probability sampling: opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling (`ot=th:`),
//! and its predecessor's `p:`; the samplers' own attributes after that.

use crate::read::draft::{Slots, set};
use crate::read::key::Key;
use model::{SpanFlags, Weight};

const SAMPLED: u128 = set(&[
    Key::TraceState,
    Key::SamplingProbability,
    Key::SamplingRatio,
    Key::SamplingThreshold,
    Key::SampleRate,
    Key::SamplerType,
    Key::TailPolicy,
    Key::TailComposite,
    Key::SamplingPolicy,
]);
const TAIL: u128 = set(&[Key::TailPolicy, Key::TailComposite, Key::SamplingPolicy]);
/// A threshold of 56 bits.
const CERTAIN: u64 = 1 << 56;

/// The span's weight; [`SpanFlags::BIASED`] (and an unknown weight) where the sampler prefers some outcomes or keeps a
/// rate.
#[inline]
pub(crate) fn weight(slots: &Slots<'_>, unmarked: Weight) -> (Weight, SpanFlags) {
    if !slots.any(SAMPLED) {
        return (unmarked, SpanFlags::default());
    }
    sampled(slots, unmarked)
}

/// What an attribute of an instrumentation scope says of its spans' sampling: there the Collector's tail sampler writes
/// which of its policies kept them (processor/tailsamplingprocessor, gate `recordpolicy`).
pub(crate) fn scope_attribute(key: Key) -> SpanFlags {
    if set(&[key]) & TAIL != 0 { SpanFlags::BIASED } else { SpanFlags::default() }
}

fn sampled(slots: &Slots<'_>, unmarked: Weight) -> (Weight, SpanFlags) {
    let biased = (Weight::UNKNOWN, SpanFlags::BIASED);
    if slots.any(TAIL) {
        return biased;
    }
    if let Some(weight) = slots.text(Key::TraceState).and_then(by_trace_state) {
        return (weight, SpanFlags::default());
    }
    if let Some(threshold) = slots.text(Key::SamplingThreshold).and_then(threshold) {
        return (by_threshold(threshold), SpanFlags::default());
    }
    for key in [Key::SamplingProbability, Key::SamplingRatio] {
        if let Some(share) = slots.number(key) {
            return (of_share(share), SpanFlags::default());
        }
    }
    if let Some(rate) = slots.number(Key::SampleRate) {
        return (of_share(1.0 / rate), SpanFlags::default());
    }
    // Jaeger's samplers mark the root span only. One that is neither a share nor all or nothing keeps a rate, or changes
    // its share while it goes (rate limiting, lower bounds, what adapts).
    match slots.text(Key::SamplerType) {
        Some(b"probabilistic") => match slots.number(Key::SamplerParam).map_or(Weight::UNKNOWN, of_share) {
            Weight::ONE => (Weight::ONE, SpanFlags::default()),
            weight => (weight, SpanFlags::FOR_TRACE),
        },
        Some(b"const") => (Weight::ONE, SpanFlags::default()),
        Some(_) => (Weight::UNKNOWN, SpanFlags::BIASED.with(SpanFlags::FOR_TRACE)),
        // A vendor's `tracestate` that says nothing of a probability.
        None => (unmarked, SpanFlags::default()),
    }
}

/// `ot=th:…;p:…` among the vendors of a `tracestate`.
fn by_trace_state(state: &[u8]) -> Option<Weight> {
    let ot = state.split(|byte| *byte == b',').find_map(|member| member.trim_ascii().strip_prefix(b"ot="))?;
    let value = |name: &[u8]| ot.split(|byte| *byte == b';').find_map(|pair| pair.trim_ascii().strip_prefix(name));
    if let Some(threshold) = value(b"th:").and_then(threshold) {
        return Some(by_threshold(threshold));
    }
    let power: u32 = std::str::from_utf8(value(b"p:")?).ok()?.parse().ok()?;
    Some(match power {
        0..=21 => Weight(1024 << power),
        // 63 stands for "never", which a span that is here contradicts.
        _ => Weight::UNKNOWN,
    })
}

/// One to fourteen hex digits, the rest are zeros.
fn threshold(hex: &[u8]) -> Option<u64> {
    if hex.is_empty() || hex.len() > 14 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = u64::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
    Some(digits << (4 * (14 - hex.len())))
}

fn by_threshold(threshold: u64) -> Weight {
    let kept = CERTAIN - threshold;
    // A threshold below 2^56 keeps at least one in 2^56.
    let weight = (1024u128 * u128::from(CERTAIN) + u128::from(kept) / 2) / u128::from(kept);
    Weight(u32::try_from(weight).unwrap_or(u32::MAX))
}

/// The weight of a span of which this share was kept, 0..1.
pub fn of_share(share: f64) -> Weight {
    let weight = 1024.0 / share;
    if share > 0.0 && share <= 1.0 && weight < f64::from(u32::MAX) {
        // Positive and in range, so the cast only rounds.
        Weight((weight + 0.5) as u32)
    } else {
        Weight::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_and_powers_give_the_adjusted_count() {
        for (state, wanted) in [
            ("ot=th:0", Some(1024)),
            ("ot=th:8", Some(2048)),
            ("ot=th:c", Some(4096)),
            ("rojo=1, ot=rv:abc;th:c ,x=y", Some(4096)),
            ("ot=th:fd70a3d70a3d71", Some(102_400)),
            ("ot=p:3;r:5", Some(8192)),
            ("ot=p:63", Some(0)),
            ("ot=th:", None),
            ("ot=th:xyz", None),
            ("other=th:8", None),
            ("", None),
        ] {
            assert_eq!(by_trace_state(state.as_bytes()).map(|weight| weight.0), wanted, "{state}");
        }
        assert_eq!(by_threshold(CERTAIN - 1), Weight(u32::MAX));
    }
}
