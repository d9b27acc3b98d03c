//! A row of little bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `room` values as bars; the tallest bar is the largest of all values.
pub(crate) fn sparkline(values: &[u64], room: usize) -> String {
    let highest = values.iter().copied().max().unwrap_or(0).max(1);
    let skipped = values.len().saturating_sub(room);
    let bar = |value: &u64| BARS[usize::try_from(value * 7 / highest).unwrap_or(7).min(7)];
    values[skipped..].iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn the_newest_values_are_kept_and_scaled_to_the_largest() {
        assert_eq!(sparkline(&[8, 0, 4, 8], 3), "▁▄█");
        assert_eq!(sparkline(&[], 3), "");
    }
}
