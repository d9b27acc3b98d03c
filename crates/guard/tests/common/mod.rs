//! What the tests of this folder share: a signer, settings that know it, and commands.
#![allow(dead_code)] // not every test uses everything

use control::{Key, Keyring, Record, Role, Signer, Verdict};
use guard::{Guard, LimitSettings, Settings};
use model::{Command, CommandId, Mode, Setting, Target};

pub(crate) const DOMAIN: &str = "shop";

pub(crate) fn signer() -> Signer {
    Signer::from_seed([3; 32])
}

/// A service `cart` with so many places, that knows the signer.
pub(crate) fn settings(limit: u32) -> Settings {
    let mut keyring = Keyring::new();
    keyring.add(Key::new(signer().public(), Role::Engine)).unwrap();
    let mut settings =
        Settings { service: "cart".into(), domain: DOMAIN.into(), keyring: Some(keyring), ..Settings::default() };
    settings.server.limit = LimitSettings::Fixed { limit };
    settings.server.class_share_permille = [1000; 4];
    settings
}

pub(crate) fn record(sequence: u64, target: Target, setting: Setting, ttl_ms: u32, now_ms: u64) -> Record {
    let command = Command {
        id: CommandId(format!("id-{sequence}")),
        sequence,
        ttl_ms,
        target,
        knob: setting.knob(),
        setting: Some(setting),
        reason: model::Reason::default(),
        mode: Mode::Act,
    };
    signer().command(DOMAIN, 1, &command, now_ms)
}

/// Gives the guard a command, which it takes.
pub(crate) fn command(guard: &Guard, sequence: u64, target: Target, setting: Setting, ttl_ms: u32) {
    let now_ms = guard.clock().now_ms();
    let record = record(sequence, target, setting, ttl_ms, now_ms);
    assert_eq!(guard.offer(&record, now_ms), Verdict::Accepted);
}
