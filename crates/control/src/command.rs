//! A command as it stands on the control or the proposals topic.

use crate::Record;
use crate::error::{WireError, from_json};
use crate::finding::{finite, make_finite};
use crate::record::printable;
use model::{Command, CommandId, Knob, Mode, Reason, Setting, Target};
use serde::{Deserialize, Serialize};

/// A lease is obeyed for at most a day, whatever it says.
pub const TTL_MAX_MS: u32 = 86_400_000;

/// The value of a command or a proposal. Numbers stay below 2^53.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandWire {
    /// Names the intervention; constant across renewals and owners.
    pub id: CommandId,
    /// The offset of the owner's claim: a later owner always has a higher one.
    pub epoch: u64,
    /// Rises with each renewal or change within one epoch.
    pub sequence: u64,
    /// When it was signed, by the engine's clock, Unix milliseconds. A record that reaches the broker much later than
    /// this is a replay.
    pub issued_ms: u64,
    /// How long it is to be obeyed, from the record's broker timestamp, in milliseconds.
    pub ttl_ms: u32,
    /// What it acts on.
    pub target: Target,
    /// Which knob.
    pub knob: Knob,
    /// The value; left out in a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<Setting>,
    /// Is this a release: back to normal before the lease ends? Then there is no `setting`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// `act` is to be obeyed; everything else is a proposal.
    pub mode: Mode,
    /// Why. Subscribers need not read it.
    pub reason: Reason,
}

impl CommandWire {
    /// The wire form of a command.
    pub fn of(epoch: u64, command: &Command, issued_ms: u64) -> CommandWire {
        let mut reason = command.reason.clone();
        reason.evidence.iter_mut().for_each(make_finite);
        reason.confidence = finite(reason.confidence);
        CommandWire {
            id: command.id.clone(),
            epoch,
            sequence: command.sequence,
            issued_ms,
            ttl_ms: command.ttl_ms,
            target: command.target.clone(),
            knob: command.knob,
            setting: command.setting,
            released: command.setting.is_none(),
            mode: command.mode,
            reason,
        }
    }

    /// The command and its epoch.
    pub fn into_command(self) -> (u64, Command) {
        let CommandWire { id, epoch, sequence, ttl_ms, target, knob, setting, mode, reason, .. } = self;
        (epoch, Command { id, sequence, ttl_ms, target, knob, setting, reason, mode })
    }
}

/// The record key of a knob of a target, `domain/target/knob`. Control characters in names are replaced.
pub fn command_key(domain: &str, target: &Target, knob: Knob) -> String {
    printable(&format!("{domain}/{target}/{}", knob.as_str()))
}

/// Reads a command or a proposal, without verifying anything: for people and tools. Whoever obeys uses
/// [`crate::Subscriber`].
///
/// # Errors
/// The value is too large or not a command, or the key names another target.
pub fn decode_command(record: &Record) -> Result<CommandWire, WireError> {
    let wire: CommandWire = from_json("command", &record.value)?;
    check_value(wire.knob, wire.setting, wire.released, &wire.target)?;
    let rest = record.key.split_once('/').map_or("", |(_, rest)| rest);
    let expected = printable(&format!("{}/{}", wire.target, wire.knob.as_str()));
    if rest != expected {
        return Err(WireError::KeyMismatch { what: "command", key: record.key.clone(), expected });
    }
    Ok(wire)
}

/// The part of a command that a subscriber needs. It ignores what it does not know, so that the reason may grow; only an
/// unknown narrowing of the target is an error, because ignoring it would widen the command.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToObey {
    pub(crate) id: CommandId,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) issued_ms: u64,
    pub(crate) ttl_ms: u32,
    pub(crate) target: Target,
    pub(crate) knob: Knob,
    #[serde(default)]
    pub(crate) setting: Option<Setting>,
    #[serde(default)]
    pub(crate) released: bool,
    pub(crate) mode: Mode,
}

impl ToObey {
    pub(crate) fn read(value: &[u8]) -> Result<ToObey, WireError> {
        let read: ToObey = from_json("command", value)?;
        check_value(read.knob, read.setting, read.released, &read.target)?;
        Ok(read)
    }
}

/// Exactly one of `setting` and `released`, of the same knob, within its range.
fn check_value(knob: Knob, setting: Option<Setting>, released: bool, target: &Target) -> Result<(), WireError> {
    let wrong = |why: &str| Err(WireError::Malformed { what: "command", why: why.to_owned() });
    match setting {
        None if !released => return wrong("neither setting nor released"),
        Some(_) if released => return wrong("setting and released at once"),
        Some(setting) if setting.knob() != knob => return wrong("the setting is of another knob"),
        Some(Setting::Admission { fraction_permille: 1001.., .. }) => return wrong("fraction_permille above 1000"),
        Some(Setting::Restart { at_once_percent: 101.. }) => return wrong("at_once_percent above 100"),
        Some(_) | None => {}
    }
    if target.service.is_empty() || target.share_percent.is_some_and(|share| share > 100) {
        return wrong("the target needs a service, and a share of at most 100 percent");
    }
    Ok(())
}
