//! What is wrong with a configuration, where, and how to mend it.

use std::fmt;

/// One complaint. `Display` gives `file:line:column: what (hint)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The file, or the environment variable.
    pub(crate) source: String,
    /// Line and column, from 1, where the source is a file.
    pub(crate) place: Option<(usize, usize)>,
    /// What is wrong.
    pub(crate) what: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(pub(crate) Vec<Complaint>);

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.source)?;
        if let Some((line, column)) = self.place {
            write!(out, ":{line}:{column}")?;
        }
        write!(out, ": {}", self.what)?;
        if let Some(hint) = &self.hint {
            write!(out, "\n    {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, complaint) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The name in `known` that `name` was probably meant to be.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|candidate| (distance(name, candidate), candidate));
    scored.min().filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3 + 1).map(|(_, name)| name)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(closest("brokres", ["brokers", "group"]), Some("brokers"));
        assert_eq!(closest("bootstrap", ["mode", "lease"]), None);
    }
}
