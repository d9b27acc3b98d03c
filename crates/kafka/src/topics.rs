//! The topics of stopbank: names, cleanup policies, and making the missing ones.

mod admin;

use crate::{Connection, Error};
pub(crate) use admin::Admin;
use std::collections::BTreeMap;
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
    pub fn prefixed(prefix: &str) -> Topics {
        let other = |name: &str| name.replacen("stopbank", prefix, 1);
        let Topics {
            control,
            proposals,
            findings,
            reports,
            orders,
            audit,
            journal,
            snapshots,
            claims,
            dead_letter,
            ..
        } = Topics::default();
        Topics {
            traces: vec![format!("{prefix}.otlp_spans")],
            control: other(&control),
            proposals: other(&proposals),
            findings: other(&findings),
            reports: other(&reports),
            orders: other(&orders),
            audit: other(&audit),
            journal: other(&journal),
            snapshots: other(&snapshots),
            claims: other(&claims),
            dead_letter: other(&dead_letter),
        }
    }

    /// What each of stopbank's own topics should be (the user's telemetry topics are not among them).
    pub fn specs(&self) -> Vec<TopicSpec> {
        let days = |days: i64| Cleanup::Delete { retention_ms: days * 24 * 3_600_000 };
        vec![
            TopicSpec::new(&self.control, Cleanup::Compact),
            TopicSpec::new(&self.proposals, days(7)),
            TopicSpec::new(&self.findings, days(30)),
            TopicSpec::new(&self.reports, days(1)),
            TopicSpec::new(&self.orders, days(30)),
            TopicSpec::new(&self.audit, days(365)),
            TopicSpec::new(&self.journal, days(7)),
            TopicSpec::new(&self.snapshots, Cleanup::Compact).compacted_soon(),
            TopicSpec::new(&self.claims, Cleanup::Compact),
            TopicSpec::new(&self.dead_letter, days(14)),
        ]
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

impl TopicSpec {
    /// One partition, so that a topic's records have one order, and the broker's clock, because a lease counts from it.
    fn new(name: &str, cleanup: Cleanup) -> TopicSpec {
        let settings = vec![("message.timestamp.type", "LogAppendTime".to_owned())];
        TopicSpec { name: name.to_owned(), cleanup, partitions: 1, settings }
    }

    /// A topic that is read whole at every start: only closed segments are compacted, so they are kept small and young.
    fn compacted_soon(mut self) -> TopicSpec {
        let settings = [("segment.bytes", "67108864"), ("segment.ms", "600000"), ("min.cleanable.dirty.ratio", "0.1")];
        self.settings.extend(settings.map(|(name, value)| (name, value.to_owned())));
        self
    }

    /// A topic for telemetry, as an exporter's broker would make it.
    pub(crate) fn telemetry(name: &str, partitions: i32) -> TopicSpec {
        let cleanup = Cleanup::Delete { retention_ms: 24 * 3_600_000 };
        TopicSpec { name: name.to_owned(), cleanup, partitions, settings: Vec::new() }
    }

    /// Every setting that the topic should have, by name.
    pub fn configuration(&self) -> Vec<(&'static str, String)> {
        let mut all = match self.cleanup {
            Cleanup::Compact => vec![("cleanup.policy", "compact".to_owned())],
            Cleanup::Delete { retention_ms } => {
                vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", retention_ms.to_string())]
            }
        };
        all.extend(self.settings.iter().cloned());
        all
    }
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
    connection: &Connection,
    topics: &Topics,
    provision: &Provision,
) -> Result<Vec<TopicState>, Error> {
    let admin = Admin::connect(connection, provision.timeout)?;
    let mut specs = topics.specs();
    if let Telemetry::Create { partitions } = provision.telemetry {
        specs.extend(topics.traces.iter().map(|topic| TopicSpec::telemetry(topic, partitions)));
    }
    let created = admin.create(&specs, provision.replication)?;
    let mut states = inspect(&admin, topics)?;
    for state in &mut states {
        if let TopicState::Present { topic } = state
            && created.contains(topic)
        {
            *state = TopicState::Created { topic: std::mem::take(topic) };
        }
    }
    Ok(states)
}

/// Removes all of these topics, the telemetry topics among them, with everything in them: for what was made to measure on.
///
/// # Errors
/// As [`ensure_topics`]; a topic that is not there is no error.
pub fn remove_topics(connection: &Connection, topics: &Topics) -> Result<(), Error> {
    let admin = Admin::connect(connection, Provision::default().timeout)?;
    let own = topics.specs().into_iter().map(|spec| spec.name);
    let names: Vec<String> = own.chain(topics.traces.iter().cloned()).collect();
    admin.remove(&names)
}

/// How every topic is found. Changes nothing.
pub(crate) fn inspect(admin: &Admin<'_>, topics: &Topics) -> Result<Vec<TopicState>, Error> {
    let partitions = admin.partitions()?;
    let specs = topics.specs();
    let there: Vec<&TopicSpec> = specs.iter().filter(|spec| partitions.contains_key(&spec.name)).collect();
    let names: Vec<&str> = there.iter().map(|spec| spec.name.as_str()).collect();
    // Looking at settings is a right of its own; without it existence is all that can be said.
    let settings = admin.settings(&names).unwrap_or_else(|error| {
        tracing::warn!(%error, "the topics' settings cannot be read, so they are not checked");
        BTreeMap::new()
    });
    let mut states = Vec::new();
    for spec in &specs {
        let topic = spec.name.clone();
        match partitions.get(&topic) {
            None => states.push(TopicState::Missing { topic }),
            Some(count) => {
                let differences = differences(spec, *count, settings.get(&topic), spec.name == topics.claims);
                if differences.is_empty() {
                    states.push(TopicState::Present { topic });
                }
                states.extend(differences);
            }
        }
    }
    for topic in topics.traces.iter().cloned() {
        states.push(match partitions.contains_key(&topic) {
            true => TopicState::Present { topic },
            false => TopicState::Missing { topic },
        });
    }
    Ok(states)
}

/// What is otherwise than it should be. Retention is the user's to choose; policy and clock carry promises.
fn differences(
    spec: &TopicSpec,
    partitions: usize,
    settings: Option<&BTreeMap<String, String>>,
    is_claims: bool,
) -> Vec<TopicState> {
    let topic = spec.name.clone();
    let mut found = Vec::new();
    if is_claims && partitions != 1 {
        found.push(TopicState::Differs {
            topic: topic.clone(),
            setting: "partitions".to_owned(),
            want: "1".to_owned(),
            has: partitions.to_string(),
            mend: "make the topic anew with one partition, or every partition would elect an owner".to_owned(),
        });
    }
    let configuration = spec.configuration();
    for (setting, want) in configuration.into_iter().filter(|(name, _)| *name != "retention.ms") {
        let Some(has) = settings.and_then(|settings| settings.get(setting)) else { continue };
        // `compact,delete` keeps the last record of a key only for a while: for the state of controls that is too short.
        if *has != want {
            let why = match (setting, spec.cleanup) {
                ("cleanup.policy", Cleanup::Compact) => "else the last state of a key is forgotten after a while",
                ("cleanup.policy", Cleanup::Delete { .. }) => "else older records of a key are dropped early",
                ("segment.bytes" | "segment.ms" | "min.cleanable.dirty.ratio", _) => {
                    "else a start reads more than it needs"
                }
                _ => "else leases count from the writer's clock instead of the broker's",
            };
            let mend = format!(
                "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}={want} ({why})"
            );
            let (setting, has) = (setting.to_owned(), has.clone());
            found.push(TopicState::Differs { topic: topic.clone(), setting, want, has, mend });
        }
    }
    found
}
