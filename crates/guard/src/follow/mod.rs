//! Where orders come from and reports go: the console over HTTP, or Kafka. Each in a thread of its own, which ends with
//! the guard.
//!
//! Nothing here has to work: while the other side is away the guard goes on with the leases that it has, and then with its
//! own settings. Connections are tried again with a jittered wait.

#[cfg(feature = "http")]
mod console;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "http")]
mod sse;

use crate::settings::SettingsError;
use crate::shared::Shared;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How often a report is written.
#[cfg(any(feature = "http", feature = "kafka"))]
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How often the keyring's file is looked at.
const KEYRING_EVERY: Duration = Duration::from_secs(5);

/// Starts what the settings ask for.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<(), SettingsError> {
    let weak = Arc::downgrade(shared);
    spawn("stopbank-guard", move || run_steps(&weak))?;
    #[cfg(feature = "kafka")]
    if let Some(settings) = shared.settings.kafka.clone() {
        let weak = Arc::downgrade(shared);
        let plan = kafka::Plan::of(settings)?;
        spawn("stopbank-kafka", move || kafka::run(&weak, &plan))?;
    }
    #[cfg(feature = "http")]
    if let Some(settings) = &shared.settings.console {
        let address = console::Address::parse(settings)?;
        let reports = shared.settings.kafka.is_none();
        let weak = Arc::downgrade(shared);
        spawn("stopbank-console", move || console::run(&weak, &address, reports))?;
    }
    Ok(())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), SettingsError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(SettingsError::Thread)
}

/// The clockwork: an overloaded runtime cannot keep it from acting.
fn run_steps(shared: &Weak<Shared>) {
    let mut looked = Instant::now();
    while let Some(shared) = shared.upgrade() {
        shared.step();
        if looked.elapsed() >= KEYRING_EVERY {
            looked = Instant::now();
            shared.reload_keyring();
        }
        let every = Duration::from_millis(u64::from(shared.settings.step_ms));
        drop(shared);
        thread::sleep(every);
    }
}

/// How long to wait before trying to connect for the `tries`-th time: doubling from half a second to half a minute, half
/// of it by chance, so that a fleet does not come back all at once.
#[cfg(any(feature = "http", feature = "kafka"))]
fn wait(tries: u32) -> Duration {
    let top_ms = (500u64 << tries.min(6)).min(30_000);
    Duration::from_millis(top_ms / 2 + crate::random::random() % (top_ms / 2))
}
