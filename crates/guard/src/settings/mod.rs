//! What a service owner sets: by a TOML file, by the builder, or both. Everything has a default; a typing error is an
//! error and not a default.

mod clamps;
mod client;
mod server;

pub use clamps::{BoundSettings, ClampSettings};
pub use client::ClientSettings;
pub use server::{LimitSettings, ServerSettings};

use control::{Keyring, Me};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The service's identity, as in its telemetry.
    pub service: String,
    /// The instance's id (`service.instance.id`, or the pod); the host's name and the process's number if it is empty.
    pub instance: String,
    /// `service.version`.
    pub version: String,
    /// `cloud.availability_zone`.
    pub zone: String,
    /// stopbank's domain: the first part of its records' keys.
    pub domain: String,
    /// A file with the public keys whose signatures count, see `schemas/subscriber.md`; read again when it changes. Without a
    /// key no command is obeyed.
    pub keyring_file: Option<PathBuf>,
    /// stopbank's console: the control topic as server-sent events, and where reports go if there is no Kafka. Needs the
    /// feature `http`.
    pub console: Option<ConsoleSettings>,
    /// Kafka. Needs the feature `kafka`.
    pub kafka: Option<KafkaSettings>,
    /// How often the limits move, milliseconds.
    pub step_ms: u32,
    /// How long the way back to normal takes when a lease ends, in the mean, milliseconds; each instance half as long to
    /// half as long again.
    pub ramp_ms: u32,
    /// The server side.
    pub server: ServerSettings,
    /// The client side, for every callee.
    pub client: ClientSettings,
    /// What is different for one callee, by its name.
    pub callees: BTreeMap<String, toml::Table>,
    /// What no command may do.
    pub clamps: ClampSettings,
    /// The keys themselves, in place of a file.
    #[serde(skip)]
    pub keyring: Option<Keyring>,
}

/// Where stopbank's console is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// `http://host:port`.
    pub url: String,
    /// The token that it asks of guards that report (`admin.guard_token` there).
    pub token: Option<String>,
}

/// How to reach Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// The control topic; `stopbank.control` if it is empty.
    pub control_topic: String,
    /// The reports topic; `stopbank.reports` if it is empty.
    pub reports_topic: String,
    /// Any librdkafka properties (TLS, logins).
    pub properties: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            service: String::new(),
            instance: String::new(),
            version: String::new(),
            zone: String::new(),
            domain: "default".to_owned(),
            keyring_file: None,
            console: None,
            kafka: None,
            step_ms: 100,
            ramp_ms: 10_000,
            server: ServerSettings::default(),
            client: ClientSettings::default(),
            callees: BTreeMap::new(),
            clamps: ClampSettings::default(),
            keyring: None,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The text is not TOML, or has a key or a value that is not known.
    #[error("the guard's settings cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A setting makes no sense.
    #[error("the guard's setting `{setting}` {why}")]
    Wrong {
        /// Which.
        setting: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// The keyring cannot be read.
    #[error("the keyring `{path}` cannot be read: {why}")]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A thread is needed, and the system gives none.
    #[error("the guard needs a thread of its own: {0}")]
    Thread(std::io::Error),
    /// A feature is needed that this build has not.
    #[error(
        "the guard's setting `{setting}` needs the feature `{feature}` of the crate `guard`: switch it on in Cargo.toml"
    )]
    Feature {
        /// The setting.
        setting: &'static str,
        /// The feature.
        feature: &'static str,
    },
}

pub(crate) fn wrong(setting: &str, why: impl Into<String>) -> SettingsError {
    SettingsError::Wrong { setting: setting.to_owned(), why: why.into() }
}

impl Settings {
    /// Reads settings from TOML.
    ///
    /// # Errors
    /// [`SettingsError::Toml`].
    pub fn from_toml(text: &str) -> Result<Settings, SettingsError> {
        Ok(toml::from_str(text)?)
    }

    /// The client side towards one callee.
    ///
    /// # Errors
    /// What stands under `callees` has a key or a value that is not known.
    pub fn towards(&self, callee: &str) -> Result<ClientSettings, SettingsError> {
        let Some(own) = self.callees.get(callee) else { return Ok(self.client.clone()) };
        let named = |error: &dyn std::fmt::Display| wrong(&format!("callees.{callee}"), format!("is wrong: {error}"));
        let mut all = toml::Table::try_from(&self.client).map_err(|error| named(&error))?;
        overlay(&mut all, own);
        all.try_into().map_err(|error| named(&error))
    }

    /// Looks at what the types cannot say, and reads the keyring.
    pub(crate) fn checked(mut self) -> Result<Settings, SettingsError> {
        if self.service.is_empty() {
            return Err(wrong("service", "is empty: write the service's name as its telemetry has it"));
        }
        if self.step_ms == 0 {
            return Err(wrong("step_ms", "is 0: write how often the limits move, about 100"));
        }
        if self.instance.is_empty() {
            let host = std::env::var("HOSTNAME").unwrap_or_else(|_| self.service.clone());
            self.instance = format!("{host}-{}", std::process::id());
        }
        if self.console.is_some() && !cfg!(feature = "http") {
            return Err(SettingsError::Feature { setting: "console", feature: "http" });
        }
        if self.kafka.is_some() && !cfg!(feature = "kafka") {
            return Err(SettingsError::Feature { setting: "kafka", feature: "kafka" });
        }
        self.server.check()?;
        self.clamps.clamps()?;
        for callee in self.callees.keys() {
            self.towards(callee)?.check(&format!("callees.{callee}"))?;
        }
        self.client.check("client")?;
        if let (None, Some(path)) = (&self.keyring, &self.keyring_file) {
            self.keyring = Some(read_keyring(path)?);
        }
        Ok(self)
    }

    /// Who this instance is.
    pub(crate) fn me(&self) -> Me {
        let Settings { service, instance, version, zone, .. } = self;
        Me { service: service.clone(), instance: instance.clone(), version: version.clone(), zone: zone.clone() }
    }
}

/// Reads a keyring's file.
pub(crate) fn read_keyring(path: &Path) -> Result<Keyring, SettingsError> {
    let unreadable = |why: String| SettingsError::Keyring { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    control::parse_keyring(&text).map_err(|error| unreadable(error.to_string()))
}

/// `own` over `all`, table by table; a breaker's window is one thing or another and is taken whole.
fn overlay(all: &mut toml::Table, own: &toml::Table) {
    for (key, value) in own {
        match (all.get_mut(key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) if key != "window" => overlay(into, from),
            _ => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
