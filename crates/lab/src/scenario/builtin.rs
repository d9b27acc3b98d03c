//! The scenarios that come with the program: `crates/lab/scenarios/`.

use super::Scenario;

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*] };
}

const ALL: [(&str, &str); 2] = files!["retry-storm", "steady"];

/// A scenario that comes with the program, by name.
pub fn builtin(name: &str) -> Option<Scenario> {
    toml(name).map(|text| Scenario::from_toml(text).expect("a test reads every built-in scenario"))
}

/// The text of a scenario that comes with the program: an example to start from.
pub fn toml(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names that [`builtin`] knows, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}
