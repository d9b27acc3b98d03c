//! The topics of stopbank: names, cleanup policies, and making the missing ones.
#![allow(clippy::todo)]

use crate::{Connection, Error};
use std::time::Duration;

/// The topics' names; every one can be overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// OTLP traces in (the user's).
    pub traces: Vec<String>,
    /// Commands to obey.
    pub control: String,
    /// What would be, or waits to be, commanded.
    pub proposals: String,
    /// Findings.
    pub findings: String,
    /// Guards' reports in.
    pub reports: String,
    /// People's signed orders in.
    pub orders: String,
    /// The hash-chained trail.
    pub audit: String,
    /// The engine's inputs.
    pub journal: String,
    /// The engine's state.
    pub snapshots: String,
    /// Who owns a domain.
    pub claims: String,
    /// Poison with its reason.
    pub dead_letter: String,
}

impl Default for Topics {
    fn default() -> Self {
        Topics {
            traces: vec!["otlp_spans".to_owned()],
            control: "stopbank.control".to_owned(),
            proposals: "stopbank.proposals".to_owned(),
            findings: "stopbank.findings".to_owned(),
            reports: "stopbank.reports".to_owned(),
            orders: "stopbank.orders".to_owned(),
            audit: "stopbank.audit".to_owned(),
            journal: "stopbank.journal".to_owned(),
            snapshots: "stopbank.snapshots".to_owned(),
            claims: "stopbank.claims".to_owned(),
            dead_letter: "stopbank.dead-letter".to_owned(),
        }
    }
}

impl Topics {
    /// The default names under another prefix than `stopbank`, traces under `<prefix>.otlp_spans`: tests and tenants.
    pub fn prefixed(_prefix: &str) -> Topics {
        todo!()
    }

    /// What each of stopbank's own topics should be (the user's telemetry topics are not among them).
    pub fn specs(&self) -> Vec<TopicSpec> {
        todo!()
    }
}

/// How a topic forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The last record of each key stays.
    Compact,
    /// Records go after this time, milliseconds; -1 keeps them for ever.
    Delete {
        /// `retention.ms`.
        retention_ms: i64,
    },
}

/// What a topic should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How it forgets.
    pub cleanup: Cleanup,
    /// How many partitions it is made with.
    pub partitions: i32,
    /// More topic settings, by name.
    pub settings: Vec<(&'static str, String)>,
}

/// What happens to telemetry topics that do not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telemetry {
    /// They are the user's: only told as [`TopicState::Missing`].
    #[default]
    Leave,
    /// They are made with so many partitions.
    Create {
        /// How many.
        partitions: i32,
    },
}

/// How topics are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// Replicas of each partition; `None` leaves it to the broker's default.
    pub replication: Option<i32>,
    /// Telemetry topics that do not exist.
    pub telemetry: Telemetry,
    /// How long the whole may take.
    pub timeout: Duration,
}

impl Default for Provision {
    fn default() -> Self {
        Provision { replication: None, telemetry: Telemetry::Leave, timeout: Duration::from_secs(20) }
    }
}

/// How a topic was found, or what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It was made.
    Created {
        /// Which.
        topic: String,
    },
    /// It was there, as it should be.
    Present {
        /// Which.
        topic: String,
    },
    /// It was there and is set otherwise than it should be: a warning, with the command that mends it in `mend`.
    Differs {
        /// Which.
        topic: String,
        /// Which setting (`cleanup.policy`, `partitions`, …).
        setting: String,
        /// What it should be.
        want: String,
        /// What it is.
        has: String,
        /// How to mend it, and what goes wrong otherwise.
        mend: String,
    },
    /// It is not there, and it is not ours to make.
    Missing {
        /// Which.
        topic: String,
    },
}

/// Makes what is missing and looks at what is there. Changes nothing that exists.
///
/// # Errors
/// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`], [`Error::Denied`], [`Error::Failed`]. The embedded
/// broker cannot do it: see [`crate::Embedded::create_topics`].
pub fn ensure_topics(
    _connection: &Connection,
    _topics: &Topics,
    _provision: &Provision,
) -> Result<Vec<TopicState>, Error> {
    todo!()
}
