//! The metrics' source: a thread of its own that reads what producers counted and hands it to the engine. It waits for the
//! engine; the traces' source does not wait for it.
//!
//! Its positions are not kept: what was counted while nobody read is compared with nothing, and a cumulative stream begins
//! with what it says next.

use super::dead_letters::DeadLetters;
use crate::capacity::{POLL_WAIT, RECORDS_PER_POLL};
use crate::clock::now_ms;
use crate::config::PipelineConfig;
use crate::guarded::guarded;
use crate::state::State;
use engine::Input;
use kafka::{Positions, RecordRef, SourceConfig, Start};
use model::WitnessRow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use telemetry::{Encoding, Measured, MetricsReader};
use tokio::sync::mpsc;

/// Rows of one input of the engine.
const ROWS_MAX: usize = 4096;
/// So often the engine is told, milliseconds: each time is a step, and a commit.
const TELL_EVERY_MS: u64 = 1000;

/// What the metrics' source needs to start.
pub(crate) struct WitnessSeed {
    pub(crate) config: Arc<PipelineConfig>,
    pub(crate) state: Arc<State>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) notes: mpsc::WeakSender<Input>,
}

/// Reads until it is stopped or the engine is gone. Blocks. Without metrics everything else goes on.
pub(crate) fn run(seed: &WitnessSeed) {
    let mut pause = Duration::from_millis(200);
    while !seed.stop.load(Ordering::Relaxed) {
        match follow(seed) {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(error, "metrics cannot be read; trying again");
                rest(pause, &seed.stop);
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }
}

/// Sleeps, and wakes early when it is stopped: a handover does not wait for a broker that has no metrics.
fn rest(pause: Duration, stop: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < pause && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(POLL_WAIT);
    }
}

fn follow(seed: &WitnessSeed) -> Result<(), String> {
    let config = &seed.config;
    let text = |error: kafka::Error| error.to_string();
    let kafka = SourceConfig {
        connection: config.connection.clone(),
        topics: config.metrics_topics.clone(),
        group: config.positions_group(),
        start: Start::At { positions: Positions::new(), otherwise: config.beginning.edge() },
        prefetch_bytes_max: config.budget()?.prefetch_bytes / 8,
        ..SourceConfig::default()
    };
    let mut source = kafka::Source::connect(&kafka).map_err(text)?;
    let letters = DeadLetters::connect(&config.connection, &config.topics.dead_letter, seed.state.clone());
    let mut letters = letters.map_err(text)?;
    let mut reader = MetricsReader::new(config.reader.clone());
    let (mut measured, mut told_ms) = (Measured::default(), now_ms());
    while !seed.stop.load(Ordering::Relaxed) {
        let polled = source.poll(POLL_WAIT, RECORDS_PER_POLL, &mut |record| {
            take(seed, &record, &mut reader, &mut measured, &mut letters);
        });
        polled.map_err(text)?;
        let waits = now_ms().saturating_sub(told_ms) < TELL_EVERY_MS && measured.rows.len() < ROWS_MAX;
        if waits || measured.rows.is_empty() {
            continue;
        }
        told_ms = now_ms();
        for rows in WitnessRow::gathered(&measured.rows).chunks(ROWS_MAX) {
            let told = |notes: mpsc::Sender<Input>| notes.blocking_send(Input::Measured(rows.to_vec())).is_ok();
            if !seed.notes.upgrade().is_some_and(told) {
                return Ok(());
            }
        }
        measured = Measured::default();
    }
    Ok(())
}

fn take(
    seed: &WitnessSeed,
    record: &RecordRef<'_>,
    reader: &mut MetricsReader,
    measured: &mut Measured,
    letters: &mut DeadLetters,
) {
    if record.payload.is_empty() {
        return;
    }
    let read = guarded("the metrics decoder", || reader.read(Encoding::Auto, record.payload, measured));
    let (at_byte, reason) = match read {
        Ok(Ok(_)) => return,
        Ok(Err(poison)) => (poison.at_byte, format!("{}: {poison}", poison.reason.as_str())),
        Err(panicked) => {
            seed.state.counters.panics.add(1);
            *reader = MetricsReader::new(seed.config.reader.clone());
            (0, panicked.to_string())
        }
    };
    seed.state.counters.poison.add(1);
    letters.write(record, at_byte, &reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_when_it_is_stopped() {
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| rest(Duration::from_secs(600), &stop));
            stop.store(true, Ordering::Relaxed);
        });
        assert!(begun.elapsed() < Duration::from_secs(300), "it slept on");
    }
}
