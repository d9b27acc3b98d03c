//! Which findings are impossible or weak with this telemetry, and because of which answers.

use crate::{Answer, Grade, Question};
use serde::Serialize;

/// What stopbank finds or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Findable {
    /// Who depends on whom.
    DependencyGraph,
    /// Rates, error shares and goodput.
    Rates,
    /// What a service can serve at most.
    Capacity,
    /// More attempts per request than is normal.
    RetryAmplification,
    /// Queue delay beyond the client's timeout, load beyond capacity.
    Metastable,
    /// Load is back where it was served before, goodput is not.
    Hysteresis,
    /// Deviations that move from callee to caller, and where they began.
    OriginOfACascade,
    /// Which requests to refuse at the entry.
    SheddingByFlow,
    /// A bad instance or zone.
    BadInstance,
    /// A deploy as the cause.
    DeployAsCause,
    /// Acting while it still helps.
    ActingInTime,
}

/// How far it is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As good as it gets.
    Ok,
    /// It will be missed at times, or be less certain.
    Weak,
    /// Not with this telemetry.
    Impossible,
}

/// How far a finding is possible, and why not further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ability {
    /// The finding.
    pub finding: Findable,
    /// How far it is possible.
    pub state: State,
    /// The answers that stand in the way, the worst first.
    pub because: Vec<Question>,
}

impl Findable {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Findable::DependencyGraph => "dependency graph",
            Findable::Rates => "rates and goodput",
            Findable::Capacity => "capacity",
            Findable::RetryAmplification => "retry amplification",
            Findable::Metastable => "metastable overload",
            Findable::Hysteresis => "hysteresis",
            Findable::OriginOfACascade => "origin of a cascade",
            Findable::SheddingByFlow => "shedding by flow",
            Findable::BadInstance => "bad instance or zone",
            Findable::DeployAsCause => "deploy as the cause",
            Findable::ActingInTime => "acting in time",
        }
    }

    /// What it needs: (question, from this grade on it is weak, from this one on impossible).
    fn needs(self) -> &'static [(Question, Grade, Option<Grade>)] {
        use Grade::{C, D, F};
        use Question::{
            Attributes, Clocks, Duplicates, Encodings, Lateness, Names, Orphans, Pairing, Sampling, Topics, Versions,
        };
        match self {
            Findable::DependencyGraph => &[
                (Topics, D, Some(F)),
                (Encodings, C, Some(F)),
                (Pairing, C, Some(F)),
                (Orphans, C, None),
                (Attributes, D, Some(F)),
            ],
            Findable::Rates => {
                &[(Topics, C, Some(F)), (Encodings, C, Some(F)), (Sampling, C, Some(D)), (Duplicates, C, Some(F))]
            }
            Findable::Capacity => {
                &[(Topics, C, Some(F)), (Sampling, C, Some(D)), (Pairing, D, Some(F)), (Duplicates, C, Some(F))]
            }
            Findable::RetryAmplification => {
                &[(Topics, D, Some(F)), (Sampling, C, Some(D)), (Orphans, C, Some(F)), (Pairing, C, Some(F))]
            }
            Findable::Metastable => &[
                (Topics, D, Some(F)),
                (Sampling, C, Some(D)),
                (Pairing, C, Some(D)),
                (Lateness, D, Some(F)),
                (Orphans, D, Some(F)),
            ],
            Findable::Hysteresis => {
                &[(Topics, D, Some(F)), (Sampling, C, Some(D)), (Orphans, D, Some(F)), (Encodings, C, Some(F))]
            }
            Findable::OriginOfACascade => &[
                (Topics, D, Some(F)),
                (Pairing, C, Some(F)),
                (Clocks, D, Some(F)),
                (Names, D, None),
                (Lateness, D, Some(F)),
                (Orphans, C, Some(F)),
            ],
            Findable::SheddingByFlow => &[
                (Topics, D, Some(F)),
                (Orphans, C, Some(D)),
                (Pairing, C, Some(D)),
                (Sampling, D, None),
                (Names, D, None),
            ],
            Findable::BadInstance => &[(Topics, D, Some(F)), (Attributes, Grade::B, Some(F))],
            Findable::DeployAsCause => &[(Topics, D, Some(F)), (Versions, Grade::B, Some(C))],
            Findable::ActingInTime => &[(Topics, D, Some(F)), (Lateness, C, Some(F))],
        }
    }
}

const ALL: [Findable; 11] = [
    Findable::DependencyGraph,
    Findable::Rates,
    Findable::Capacity,
    Findable::RetryAmplification,
    Findable::Metastable,
    Findable::Hysteresis,
    Findable::OriginOfACascade,
    Findable::SheddingByFlow,
    Findable::BadInstance,
    Findable::DeployAsCause,
    Findable::ActingInTime,
];

/// What the answers allow, the least possible first.
pub(crate) fn abilities(answers: &[Answer]) -> Vec<Ability> {
    let grade =
        |question: Question| answers.iter().find(|answer| answer.question == question).map(|answer| answer.grade);
    let mut abilities: Vec<Ability> = ALL
        .into_iter()
        .map(|finding| {
            let mut because: Vec<(State, Question)> = finding
                .needs()
                .iter()
                .filter_map(|(question, weak, impossible)| {
                    let found = grade(*question)?;
                    match impossible {
                        Some(impossible) if found >= *impossible => Some((State::Impossible, *question)),
                        _ if found >= *weak => Some((State::Weak, *question)),
                        _ => None,
                    }
                })
                .collect();
            because.sort_by_key(|(state, question)| (std::cmp::Reverse(*state), *question));
            let state = because.first().map_or(State::Ok, |worst| worst.0);
            Ability { finding, state, because: because.into_iter().map(|one| one.1).collect() }
        })
        .collect();
    abilities.sort_by_key(|ability| (std::cmp::Reverse(ability.state), ability.finding));
    abilities
}
