//! Reads a configuration: file, then environment, then checks.

use super::error::{Complaint, closest};
use super::{Config, ConfigError, check, environment, secrets};
use std::path::Path;

/// Reads `path`, lays the environment over it and checks the result.
///
/// # Errors
/// Everything that is wrong, with file and line or the variable's name.
pub(crate) fn from_file(path: &Path, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let source = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = Some(format!("`stopbank init {source}` writes one with comments"));
        ConfigError(vec![Complaint { source: source.clone(), place: None, what: error.to_string(), hint }])
    })?;
    let config = parse(&source, &text)?;
    finish(config, &source, &text, variables)
}

/// The defaults with the environment laid over them.
///
/// # Errors
/// Everything that is wrong, with the variable's name.
pub(crate) fn from_environment(variables: &[(String, String)]) -> Result<Config, ConfigError> {
    finish(Config::default(), "environment", "", variables)
}

/// The configuration as TOML, with secrets hidden.
pub(crate) fn to_toml(config: &Config) -> String {
    toml::to_string_pretty(&secrets::hidden(config.clone())).expect("the configuration's types are all TOML")
}

fn finish(config: Config, source: &str, text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let config = environment::overlay(config, variables)?;
    let complaints = check::complaints(&config, source, text);
    if complaints.is_empty() { Ok(config) } else { Err(ConfigError(complaints)) }
}

fn parse(source: &str, text: &str) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| position(text, span.start));
        let what = error.message().trim().to_owned();
        ConfigError(vec![Complaint { source: source.to_owned(), place, hint: hint(&what), what }])
    })
}

/// For "unknown field `x`, expected one of `a`, `b`": which of them was meant.
pub(super) fn hint(message: &str) -> Option<String> {
    let (head, tail) = message.split_once(", expected ")?;
    let wrong = quoted(head).next()?;
    closest(wrong, quoted(tail)).map(|meant| format!("did you mean `{meant}`?"))
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Grace, Length, TEMPLATE};

    #[test]
    fn the_template_is_the_default() {
        assert_eq!(parse("template", TEMPLATE).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_line_and_suggestion() {
        let error = parse("a.toml", "[kafka]\nbrokers = \"a:1\"\ngruop = \"x\"\n").unwrap_err();
        assert_eq!(error.0[0].place, Some((3, 1)));
        assert!(error.to_string().contains("a.toml:3:1"), "{error}");
        assert!(error.to_string().contains("did you mean `group`?"), "{error}");
    }

    #[test]
    fn a_wrong_unit_is_named_with_line() {
        let error = parse("a.toml", "[engine]\nlease = \"15 sec\"\n").unwrap_err();
        assert!(error.to_string().contains("a.toml:2:"), "{error}");
        assert!(error.to_string().contains("\"15s\""), "{error}");
    }

    #[test]
    fn what_is_dumped_can_be_read_again() {
        let mut config = Config::default();
        config.window.grace = Grace::Fixed(Length::from_secs(2));
        config.criticality.insert("web:/checkout".into(), model::Criticality::CriticalPlus);
        config.engine.knobs.insert(model::Knob::Purge, model::Mode::Propose);
        assert_eq!(parse("dump", &to_toml(&config)).unwrap(), config);
    }
}
