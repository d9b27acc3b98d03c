//! A small linear program: maximise `c · x` where `A x ≤ b`, `x ≥ 0` and `b ≥ 0` (Dantzig's simplex in a tableau, with
//! Bland's rule, which always ends).

const TINY: f64 = 1e-9;

/// The best `x`. Every column of `a` must be bounded by some row.
pub(super) fn maximise(c: &[f64], a: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let (columns, rows) = (c.len(), a.len());
    let width = columns + rows + 1;
    let mut tableau: Vec<Vec<f64>> = Vec::with_capacity(rows + 1);
    for (row, limits) in a.iter().enumerate() {
        let mut line = vec![0.0; width];
        line[..columns].copy_from_slice(limits);
        line[columns + row] = 1.0;
        line[width - 1] = b[row].max(0.0);
        tableau.push(line);
    }
    let mut goal = vec![0.0; width];
    goal[..columns].copy_from_slice(c);
    let mut basis: Vec<usize> = (columns..columns + rows).collect();
    while let Some(enters) = (0..width - 1).find(|column| goal[*column] > TINY) {
        let ratio = |row: usize| tableau[row][width - 1] / tableau[row][enters];
        let candidates = (0..rows).filter(|row| tableau[*row][enters] > TINY);
        let leaves =
            candidates.min_by(|one, two| ratio(*one).total_cmp(&ratio(*two)).then(basis[*one].cmp(&basis[*two])));
        let Some(leaves) = leaves else { break };
        pivot(&mut tableau, &mut goal, leaves, enters);
        basis[leaves] = enters;
    }
    let mut best = vec![0.0; columns];
    for (row, column) in basis.iter().enumerate().filter(|(_, column)| **column < columns) {
        best[*column] = tableau[row][width - 1].max(0.0);
    }
    best
}

fn pivot(tableau: &mut [Vec<f64>], goal: &mut [f64], leaves: usize, enters: usize) {
    let factor = tableau[leaves][enters];
    tableau[leaves].iter_mut().for_each(|cell| *cell /= factor);
    let line = tableau[leaves].clone();
    let clear = |other: &mut [f64]| {
        let factor = other[enters];
        if factor != 0.0 {
            other.iter_mut().zip(&line).for_each(|(cell, pivot)| *cell -= factor * pivot);
        }
    };
    for (row, other) in tableau.iter_mut().enumerate() {
        if row != leaves {
            clear(other);
        }
    }
    clear(goal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_book_example_is_solved() {
        // Hillier and Lieberman, Wyndor Glass: 3x + 5y, x ≤ 4, 2y ≤ 12, 3x + 2y ≤ 18: 36 at (2, 6)
        let a = [vec![1.0, 0.0], vec![0.0, 2.0], vec![3.0, 2.0]];
        let best = maximise(&[3.0, 5.0], &a, &[4.0, 12.0, 18.0]);
        assert!((best[0] - 2.0).abs() < 1e-6 && (best[1] - 6.0).abs() < 1e-6, "{best:?}");
    }

    #[test]
    fn nothing_is_possible_where_there_is_nothing() {
        let best = maximise(&[1.0, 2.0], &[vec![1.0, 1.0], vec![1.0, 0.0], vec![0.0, 1.0]], &[0.0, 5.0, 5.0]);
        assert_eq!(best, [0.0, 0.0]);
    }
}
