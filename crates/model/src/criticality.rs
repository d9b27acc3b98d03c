//! The field's four levels of criticality (Google SRE book, ch. 21).

use serde::{Deserialize, Serialize};

/// How many levels of criticality there are.
pub const LEVELS: usize = 4;

/// How bad it is to refuse a request. The order is that of shedding: the lowest goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[repr(u8)]
pub enum Criticality {
    /// Often refused; retried or dropped without anybody noticing.
    Sheddable = 0,
    /// Refused in an overload; batch work.
    SheddablePlus = 1,
    /// The default of what is not labelled: visible to users.
    #[default]
    Critical = 2,
    /// Never refused by admission without a human's approval.
    CriticalPlus = 3,
}

impl Criticality {
    /// All levels, lowest first.
    pub const ALL: [Criticality; LEVELS] =
        [Criticality::Sheddable, Criticality::SheddablePlus, Criticality::Critical, Criticality::CriticalPlus];

    /// The level's place in an array, lowest first.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The level as it is written in configuration, commands and span attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Criticality::Sheddable => "SHEDDABLE",
            Criticality::SheddablePlus => "SHEDDABLE_PLUS",
            Criticality::Critical => "CRITICAL",
            Criticality::CriticalPlus => "CRITICAL_PLUS",
        }
    }

    /// Reads a level: this project's names in any case, or `service.criticality`'s `low` … `critical`.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Criticality> {
        let known = [
            ("SHEDDABLE", Criticality::Sheddable),
            ("LOW", Criticality::Sheddable),
            ("SHEDDABLE_PLUS", Criticality::SheddablePlus),
            ("MEDIUM", Criticality::SheddablePlus),
            ("CRITICAL", Criticality::Critical),
            ("HIGH", Criticality::Critical),
            ("CRITICAL_PLUS", Criticality::CriticalPlus),
        ];
        let text = text.as_ref();
        known.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text)).map(|(_, level)| *level)
    }
}
