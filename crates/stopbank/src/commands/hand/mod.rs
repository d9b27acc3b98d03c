//! A person's hand on the controls: shed, release, disarm, arm, approve, refuse. Each shows what it will do, asks, orders,
//! and tells what the engine made of it.

mod blast;
mod guards;
mod in_force;
mod orders;
mod release;
mod shed;
mod stop;
mod verdict;
mod words;

pub(super) use release::release;
pub(super) use shed::shed;
pub(super) use stop::{arm, disarm};
pub(super) use verdict::{approve, refuse};

use crate::cli::ByHand;
use crate::config::Config;
use crate::exit::Failure;
use std::io::{IsTerminal, Write, stderr, stdin};
use std::time::{SystemTime, UNIX_EPOCH};

/// The configuration with what was said on the command line.
fn configuration(hand: &ByHand) -> Result<Config, Failure> {
    let mut config = super::configuration(hand.config.as_deref())?;
    if let Some(brokers) = &hand.brokers {
        config.kafka.brokers.clone_from(brokers);
    }
    if let Some(admin) = &hand.admin {
        config.admin.address.clone_from(admin);
    }
    Ok(config)
}

/// Asks whether to go on, unless that was said already.
fn confirm(hand: &ByHand, what: &str) -> Result<(), Failure> {
    if hand.yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here: say --yes to go on"));
    }
    write!(stderr(), "{what} [y/N] ")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::job("nothing was ordered")),
    }
}

/// A remark that is no result.
fn remark(text: &str) -> Result<(), Failure> {
    Ok(writeln!(stderr(), "stopbank: {text}")?)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
