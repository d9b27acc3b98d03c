//! The owner's clamps as they are written.

use super::{SettingsError, wrong};
use control::{Bound, Clamps};
use model::{Knob, Setting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What no command may do to this service, signed or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClampSettings {
    /// Knobs that nobody but the owner turns.
    pub refused: Vec<Knob>,
    /// Floor and ceiling of a knob.
    pub bounds: BTreeMap<Knob, BoundSettings>,
}

/// How far a knob may be turned; each side holds the fields of the knob's value, such as `{ limit = 10 }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoundSettings {
    /// Nothing stricter than this.
    pub strictest: Option<toml::Table>,
    /// Nothing looser than this.
    pub loosest: Option<toml::Table>,
}

impl ClampSettings {
    pub(crate) fn clamps(&self) -> Result<Clamps, SettingsError> {
        let mut bounds = BTreeMap::new();
        for (knob, bound) in &self.bounds {
            let side = |name: &str, side: &Option<toml::Table>| {
                side.as_ref().map(|fields| setting(*knob, name, fields)).transpose()
            };
            let strictest = side("strictest", &bound.strictest)?;
            bounds.insert(*knob, Bound { strictest, loosest: side("loosest", &bound.loosest)? });
        }
        Ok(Clamps { bounds, refused: self.refused.iter().copied().collect(), never_shed: Vec::new() })
    }
}

fn setting(knob: Knob, side: &str, fields: &toml::Table) -> Result<Setting, SettingsError> {
    let mut fields = fields.clone();
    fields.insert("knob".to_owned(), toml::Value::String(knob.as_str().to_owned()));
    fields.try_into().map_err(|error| {
        wrong(&format!("clamps.bounds.{}.{side}", knob.as_str()), format!("is no value of it: {error}"))
    })
}
