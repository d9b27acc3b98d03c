//! What is wrong with a topology file: line, fact, and how to mend it.

/// Why a topology or a scenario cannot be used. Displays file, line, what is wrong and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}: {what}{}", prefix(file), hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
pub struct TopologyError {
    /// The file, if the text came from one.
    pub file: Option<String>,
    /// The line in the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it, if that can be guessed.
    pub hint: Option<String>,
}

impl TopologyError {
    /// Something is wrong at a byte of the file.
    pub(crate) fn at(text: &str, at_byte: usize, what: String, hint: Option<String>) -> TopologyError {
        let before = text.as_bytes().iter().take(at_byte);
        TopologyError { file: None, line: 1 + before.filter(|byte| **byte == b'\n').count(), what, hint }
    }

    /// The same, and it was found in `file`.
    #[must_use]
    pub fn in_file(self, file: &str) -> TopologyError {
        TopologyError { file: Some(file.to_owned()), ..self }
    }

    /// What the TOML parser says, with a suggestion for a misspelt key or value.
    pub(super) fn parse(text: &str, error: &toml::de::Error) -> TopologyError {
        let message = error.message().trim().replace('\n', ", ");
        let mut quoted = message.split('`').skip(1).step_by(2);
        let unknown = message.starts_with("unknown").then(|| quoted.next()).flatten();
        let hint = unknown.and_then(|wrong| suggestion(wrong, quoted));
        TopologyError::at(text, error.span().map_or(0, |span| span.start), message, hint)
    }

    /// A name that nothing has.
    pub(super) fn unknown<'a>(
        text: &str,
        at_byte: usize,
        noun: &str,
        wrong: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> TopologyError {
        let hint = suggestion(wrong, known.clone())
            .or_else(|| Some(format!("known: {}", known.collect::<Vec<_>>().join(", "))));
        TopologyError::at(text, at_byte, format!("unknown {noun} `{wrong}`"), hint)
    }
}

fn prefix(file: &Option<String>) -> String {
    file.as_ref().map_or(String::new(), |file| format!("{file}, "))
}

/// "did you mean …?", if something known is close.
fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let nearest = known.map(|name| (distance(wrong, name), name)).min()?;
    (nearest.0 <= 1 + wrong.chars().count() / 3).then(|| format!("did you mean `{}`?", nearest.1))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
