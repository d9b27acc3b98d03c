//! A name in a topology file that knows where it stands, so that a wrong reference is reported with its line.

use serde::Deserialize;
use std::fmt;
use std::ops::Deref;

/// A text and its byte offset in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "toml::Spanned<String>")]
pub struct Label {
    text: String,
    at_byte: usize,
}

impl Label {
    /// Where the text stands in the file, in bytes.
    pub fn at_byte(&self) -> usize {
        self.at_byte
    }
}

impl From<toml::Spanned<String>> for Label {
    fn from(spanned: toml::Spanned<String>) -> Label {
        Label { at_byte: spanned.span().start, text: spanned.into_inner() }
    }
}

impl Deref for Label {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Label {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Label".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}
