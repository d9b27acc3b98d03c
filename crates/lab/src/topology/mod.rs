//! What a fleet is: the TOML format of topology files.
#![allow(clippy::todo)]

/// A fleet, its clients and its faults.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The fleet's name.
    pub name: String,
}

/// Why a topology cannot be used. Displays line, what is wrong and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}{}", hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
pub struct TopologyError {
    /// The line in the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it, if that can be guessed.
    pub hint: Option<String>,
}

impl Topology {
    /// Reads and checks a topology.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Topology, TopologyError> {
        let _ = text;
        todo!()
    }
}

/// A topology that comes with the program: `shop`.
pub fn builtin(name: &str) -> Option<Topology> {
    let _ = name;
    todo!()
}

/// The names that [`builtin`] knows.
pub fn builtin_names() -> &'static [&'static str] {
    &["shop"]
}
