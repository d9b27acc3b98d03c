//! What lies anywhere in memory is asked for ahead of its turn, so that the wait for it overlaps with work.

/// Places of a list between one stage and the next: far enough for memory to answer, near enough to be still in the cache.
const APART: usize = 16;

/// Asks for the memory of this; nothing waits for it.
#[inline(always)]
pub(crate) fn ask<T: Copy>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(place);
    // Elsewhere it is read: what comes after need not wait for that either, though it may not run far ahead of it.
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(*place);
}

/// A list's places in order, once for each stage, and each stage some places behind the one before it: what an earlier one has
/// asked for has come when the next one looks at it.
#[inline]
pub(crate) fn staged<const STAGES: usize>(len: usize) -> impl Iterator<Item = [Option<usize>; STAGES]> {
    let place = move |step: usize, stage: usize| step.checked_sub(stage * APART).filter(|place| *place < len);
    (0..len + (STAGES - 1) * APART).map(move |step| std::array::from_fn(|stage| place(step, stage)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_sees_every_place_once_and_later_than_the_stage_before() {
        for len in [0, 1, APART, 3 * APART + 5] {
            let mut seen = [const { Vec::new() }; 3];
            for (step, places) in staged::<3>(len).enumerate() {
                for (stage, place) in places.iter().enumerate() {
                    seen[stage].extend(place.map(|place| (place, step)));
                }
            }
            for (stage, seen) in seen.iter().enumerate() {
                assert_eq!(*seen, (0..len).map(|place| (place, place + stage * APART)).collect::<Vec<_>>());
            }
        }
    }
}
