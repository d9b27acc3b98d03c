//! Records of live topics for commands that only look: no group, no positions, an end.

use crate::config::Config;
use crate::exit::Failure;
use crate::print::Progress;
use crate::wiring;
use kafka::{Crc, RecordRef, Source, SourceConfig, SourceEvent, Start};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);
const RECORDS_MAX: usize = 4096;

/// What a command wants of the topics.
pub(super) struct Listening {
    /// For so long at most.
    pub(super) duration: Duration,
    /// From the oldest record to the newest instead of from now on.
    pub(super) from_beginning: bool,
}

/// A source on the configuration's topics.
///
/// # Errors
/// When no broker answers, or what it says forbids it.
pub(super) fn connect(config: &Config, listening: &Listening) -> Result<Source, Failure> {
    let config = SourceConfig {
        connection: wiring::connection(config),
        topics: config.telemetry.traces_topics.clone(),
        group: config.kafka.group.clone(),
        start: if listening.from_beginning { Start::Earliest } else { Start::Latest },
        crc: Crc::Check,
        ..SourceConfig::default()
    };
    Source::connect(&config).map_err(super::kafka_failure)
}

/// Hands every record to `each` (which says how many spans it had) until the time is over or the end is reached.
///
/// # Errors
/// When a topic does not exist, or no broker answers any more.
pub(super) fn listen(
    mut source: Source,
    listening: &Listening,
    each: &mut dyn FnMut(RecordRef<'_>) -> usize,
) -> Result<(), Failure> {
    let progress = Progress::new();
    let began = Instant::now();
    let mut spans = 0;
    while began.elapsed() < listening.duration && !(listening.from_beginning && source.at_end()) {
        let polled =
            source.poll(POLL, RECORDS_MAX, &mut |record| spans += each(record)).map_err(super::kafka_failure)?;
        for event in polled.events {
            match event {
                SourceEvent::TopicMissing { topic } => {
                    let mend = "make it, or name another one with --topic";
                    return Err(Failure::job(format!("there is no topic `{topic}`; {mend}")));
                }
                SourceEvent::Unreachable { reason } => return Err(Failure::unreachable(reason)),
                _ => {}
            }
        }
        let left = listening.duration.saturating_sub(began.elapsed()).as_secs();
        progress.show(&format!("{spans} spans, {left} s to go"));
    }
    progress.clear();
    Ok(())
}
