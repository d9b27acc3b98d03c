//! What is known beside the rows of a window, in one pass over both: no look-ups.

use std::collections::BTreeMap;

/// Rows beside what is known.
pub(crate) struct Joined<'a, K, V, R> {
    /// Known values with their rows.
    pub(crate) met: Vec<(K, &'a mut V, R)>,
    /// Rows of which nothing is known yet.
    pub(crate) strangers: Vec<(K, R)>,
}

/// Pairs what is known with `rows`, which are sorted, each key once.
pub(crate) fn join<K: Ord + Copy, V, R>(
    known: &mut BTreeMap<K, V>,
    rows: impl Iterator<Item = (K, R)>,
) -> Joined<'_, K, V, R> {
    let mut rows = rows.peekable();
    let (mut met, mut strangers) = (Vec::with_capacity(known.len()), Vec::new());
    for (key, value) in known {
        while let Some(row) = rows.next_if(|row| row.0 < *key) {
            strangers.push(row);
        }
        if let Some((_, row)) = rows.next_if(|row| row.0 == *key) {
            met.push((*key, value, row));
        }
    }
    strangers.extend(rows);
    Joined { met, strangers }
}
