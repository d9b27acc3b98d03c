//! The configuration: one typed value, read from a TOML file and the environment, checked before anything starts.
//!
//! Order of precedence: environment, file, default. A key that is not known, a wrong unit or an impossible value is an
//! error that says where it stands and what was probably meant.

mod check;
mod duration;
mod environment;
mod error;
mod read;
mod secrets;

pub(crate) use duration::Length;
pub(crate) use error::ConfigError;
pub(crate) use read::{from_environment, from_file, to_toml};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The commented file that `stopbank init` writes. A test holds it equal to the defaults.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) domain: Domain,
    pub(crate) kafka: Kafka,
    pub(crate) telemetry: Telemetry,
    pub(crate) topics: Topics,
    pub(crate) window: Window,
    pub(crate) engine: Engine,
    pub(crate) signing: Signing,
    pub(crate) admin: Admin,
    pub(crate) runtime: Runtime,
    pub(crate) log: Log,
    /// `"service:operation" = "LEVEL"` for the operations at which requests enter the fleet.
    pub(crate) criticality: BTreeMap<String, model::Criticality>,
}

/// The decision domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Domain {
    pub(crate) name: String,
}

/// How to reach Kafka.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Kafka {
    pub(crate) brokers: String,
    pub(crate) group: String,
    pub(crate) replication_factor: i32,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) consumer: BTreeMap<String, String>,
    pub(crate) producer: BTreeMap<String, String>,
}

/// Where the first read of a topic begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Start {
    Earliest,
    #[default]
    Latest,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    pub(crate) traces_topics: Vec<String>,
    pub(crate) metrics_topics: Vec<String>,
    pub(crate) encoding: telemetry::Encoding,
    pub(crate) start: Start,
    pub(crate) identity: telemetry::Identity,
    pub(crate) sampled: f64,
    pub(crate) record_max_kib: usize,
    pub(crate) operations_per_service_max: usize,
    pub(crate) sample_behind: Length,
}

/// Our own topics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Topics {
    pub(crate) control: String,
    pub(crate) proposals: String,
    pub(crate) findings: String,
    pub(crate) reports: String,
    pub(crate) orders: String,
    pub(crate) audit: String,
    pub(crate) journal: String,
    pub(crate) snapshots: String,
    pub(crate) claims: String,
    pub(crate) dead_letter: String,
}

/// How spans become windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Window {
    pub(crate) grace: Grace,
    pub(crate) flow_sample: u32,
    pub(crate) pairing: Length,
    pub(crate) edges_max: usize,
    pub(crate) idle_after: Length,
}

/// How long a window waits for what is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Grace {
    /// Learned from each partition's lateness, between 0.2 s and 10 s.
    #[default]
    Auto,
    /// As given.
    Fixed(Length),
}

/// What is decided, and how far it may go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Engine {
    pub(crate) mode: model::Mode,
    pub(crate) knobs: BTreeMap<model::Knob, model::Mode>,
    pub(crate) targets: BTreeMap<String, model::Mode>,
    pub(crate) warm_up: Length,
    pub(crate) stale_after: Length,
    pub(crate) lease: Length,
    pub(crate) hold_max: Length,
}

/// Keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Signing {
    pub(crate) key_file: String,
    pub(crate) operators_file: String,
}

/// The admin address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) guard_token: String,
}

/// The process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Runtime {
    pub(crate) shards: usize,
    pub(crate) pin_shards: bool,
    pub(crate) memory_mib: usize,
    pub(crate) shutdown_timeout: Length,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: String,
}

// === defaults ===

impl Default for Domain {
    fn default() -> Self {
        Domain { name: "default".into() }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            brokers: "localhost:9092".into(),
            group: "stopbank".into(),
            replication_factor: -1,
            properties: BTreeMap::new(),
            consumer: BTreeMap::new(),
            producer: BTreeMap::new(),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            traces_topics: vec!["otlp_spans".into()],
            metrics_topics: Vec::new(),
            encoding: telemetry::Encoding::Auto,
            start: Start::Latest,
            identity: telemetry::Identity::default(),
            sampled: 1.0,
            record_max_kib: 4096,
            operations_per_service_max: 200,
            sample_behind: Length::from_secs(5),
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        let name = |noun: &str| format!("stopbank.{noun}");
        Topics {
            control: name("control"),
            proposals: name("proposals"),
            findings: name("findings"),
            reports: name("reports"),
            orders: name("orders"),
            audit: name("audit"),
            journal: name("journal"),
            snapshots: name("snapshots"),
            claims: name("claims"),
            dead_letter: name("dead-letter"),
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Window {
            grace: Grace::Auto,
            flow_sample: 8,
            pairing: Length::from_secs(10),
            edges_max: 20_000,
            idle_after: Length::from_secs(5),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            mode: model::Mode::Observe,
            knobs: BTreeMap::new(),
            targets: BTreeMap::new(),
            warm_up: Length::from_secs(30),
            stale_after: Length::from_secs(15),
            lease: Length::from_secs(15),
            hold_max: Length::from_secs(300),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Admin { address: "127.0.0.1:9464".into(), token: String::new(), guard_token: String::new() }
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime { shards: 0, pin_shards: false, memory_mib: 512, shutdown_timeout: Length::from_secs(30) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: "info".into() }
    }
}

impl TryFrom<String> for Grace {
    type Error = String;

    fn try_from(text: String) -> Result<Grace, String> {
        if text == "auto" { Ok(Grace::Auto) } else { text.parse().map(Grace::Fixed) }
    }
}

impl From<Grace> for String {
    fn from(grace: Grace) -> String {
        match grace {
            Grace::Auto => "auto".into(),
            Grace::Fixed(length) => length.to_string(),
        }
    }
}
