//! `stopbank fleet`: the demo's fleet alone, against a given Kafka, for a setup of several machines or containers.

use crate::cli::Fleet as Arguments;
use crate::exit::Failure;
use crate::fleet::{Fleet, FleetConfig, Obedience, Spans};
use crate::keys;
use crate::print::{self, Format};
use crate::signals::Signals;
use crate::wiring;
use serde_json::json;
use std::time::{Duration, Instant};

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    crate::logs::start("warn", format);
    let mut config = super::configuration(arguments.config.as_deref())?;
    if let Some(brokers) = &arguments.brokers {
        config.kafka.brokers.clone_from(brokers);
    }
    let signals = Signals::listen()?;
    let domain = config.domain.name.clone();
    let obedience = match &arguments.keys {
        Some(path) => Obedience::Obey { domain: domain.clone(), keyring: keys::keyring(path)? },
        None => Obedience::Ignore,
    };
    let fleet = Fleet::start(FleetConfig {
        topology: super::generate::topology(&arguments.topology)?,
        seed: arguments.seed,
        connection: wiring::connection(&config),
        topics: wiring::topics(&config),
        spans: arguments.otlp.clone().map_or(Spans::Topic, Spans::Otlp),
        obedience,
        domain,
    })?;
    let (began, mut told) = (Instant::now(), 0);
    let over = |began: Instant| arguments.duration.is_some_and(|length| began.elapsed() >= length.duration());
    while !signals.asked() && !fleet.ended() && !over(began) {
        std::thread::sleep(Duration::from_millis(200));
        for second in fleet.seconds().iter().skip(told) {
            told += 1;
            match format {
                Format::Json => print::json(&json!({"type": "second", "at_s": told, "offered_rps": second.offered,
                    "goodput_rps": second.good, "shed": second.shed, "attempts": second.attempts,
                    "first_attempts": second.first_attempts}))?,
                Format::Text => print::line(&format!(
                    "{told:>4} s  goodput {:>4}/s of {:>4}/s offered, {} shed, {} calls for {} first attempts",
                    second.good, second.offered, second.shed, second.attempts, second.first_attempts
                ))?,
            }
        }
    }
    fleet.stop()
}
