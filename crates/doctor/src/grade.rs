//! Grades: A is as good as it gets, F is useless.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How good something is. Ordered from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Grade {
    /// Nothing to mend.
    #[default]
    A,
    /// Good enough; something could be better.
    B,
    /// Findings are weaker than they could be.
    C,
    /// Some findings are impossible or wrong.
    D,
    /// Nothing can be concluded.
    F,
}

impl Grade {
    /// The grade of a share that should be zero: A up to the first bound, and so on; F above the last.
    pub fn of(bad: f64, bounds: [f64; 4]) -> Grade {
        let grades = [Grade::A, Grade::B, Grade::C, Grade::D];
        grades.into_iter().zip(bounds).find(|(_, bound)| bad <= *bound).map_or(Grade::F, |(grade, _)| grade)
    }

    /// This grade, but no worse than `floor`.
    #[must_use]
    pub fn at_worst(self, floor: Grade) -> Grade {
        self.min(floor)
    }

    /// Its letter.
    pub fn letter(self) -> &'static str {
        match self {
            Grade::A => "A",
            Grade::B => "B",
            Grade::C => "C",
            Grade::D => "D",
            Grade::F => "F",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.letter())
    }
}

impl FromStr for Grade {
    type Err = String;

    fn from_str(text: &str) -> Result<Grade, String> {
        let all = [Grade::A, Grade::B, Grade::C, Grade::D, Grade::F];
        let found = all.into_iter().find(|grade| grade.letter().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{text}` is no grade; write A, B, C, D or F"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_graded_by_their_bounds_and_letters_are_read() {
        let bounds = [0.0, 0.1, 0.2, 0.5];
        assert_eq!([0.0, 0.05, 0.2, 0.3, 0.9].map(|bad| Grade::of(bad, bounds).letter()), ["A", "B", "C", "D", "F"]);
        assert_eq!(Grade::F.at_worst(Grade::C), Grade::C);
        assert_eq!(Grade::A.at_worst(Grade::C), Grade::A);
        assert_eq!("c".parse(), Ok(Grade::C));
        assert!("E".parse::<Grade>().is_err());
    }
}
