//! What is in force, read from the control topic itself: it needs no running engine.

use super::now_ms;
use super::words::words;
use crate::commands::kafka_failure;
use crate::config::Config;
use crate::exit::Failure;
use crate::wiring;
use control::CommandWire;
use kafka::{Edge, Tail, TailConfig};
use model::Mode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const READ_WITHIN: Duration = Duration::from_secs(20);

/// A command in force.
pub(super) struct Standing {
    pub(super) command: CommandWire,
    /// When its lease ends unless it is renewed, Unix milliseconds.
    expires_ms: u64,
}

impl Standing {
    /// In words: what, for how long still, and why.
    pub(super) fn told(&self) -> String {
        let CommandWire { target, setting, reason, .. } = &self.command;
        let what = setting.map(words).unwrap_or_default();
        let left_s = self.expires_ms.saturating_sub(now_ms()).div_ceil(1000);
        format!("{target}: {what}; ends in {left_s} s unless renewed ({})", reason.summary)
    }

    pub(super) fn json(&self) -> Value {
        let CommandWire { id, target, knob, setting, .. } = &self.command;
        json!({"id": id, "target": target, "knob": knob, "setting": setting, "expires_ms": self.expires_ms})
    }
}

/// Of each key of the domain the highest command that is to be obeyed now. For people: nothing is verified.
pub(super) fn read(config: &Config) -> Result<Vec<Standing>, Failure> {
    let topics = wiring::topics(config);
    let tail = TailConfig::new(wiring::connection(config), &topics.control, Edge::Earliest);
    let mut tail = Tail::connect(&tail).map_err(kafka_failure)?;
    let prefix = format!("{}/", config.domain.name);
    let mut held: BTreeMap<String, Standing> = BTreeMap::new();
    for record in tail.read_to_end(READ_WITHIN).map_err(kafka_failure)? {
        let broker_ms = record.timestamp_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        let record = record.into_record();
        let Ok(command) = control::decode_command(&record) else { continue };
        if !record.key.starts_with(&prefix) || command.mode != Mode::Act {
            continue;
        }
        let place = |command: &CommandWire| (command.epoch, command.sequence);
        if held.get(&record.key).is_none_or(|standing| place(&standing.command) < place(&command)) {
            let expires_ms = broker_ms + u64::from(command.ttl_ms);
            held.insert(record.key, Standing { command, expires_ms });
        }
    }
    let now_ms = now_ms();
    let stands = |standing: &Standing| standing.command.setting.is_some() && now_ms < standing.expires_ms;
    Ok(held.into_values().filter(stands).collect())
}
