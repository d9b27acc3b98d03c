//! Poison on its way to the dead-letter topic.

use crate::state::State;
use kafka::{Connection, Poisoned, RecordRef, Writer, WriterConfig, dead_letter};
use std::sync::Arc;
use std::time::Duration;

/// Positions wait so long for dead letters to be acknowledged before they pass the poison.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// A record that is not read because its spans lie in the future is told at most this often a second.
const FUTURE_PER_SECOND: u32 = 10;

/// Writes dead letters.
pub(crate) struct DeadLetters {
    writer: Writer,
    topic: String,
    state: Arc<State>,
    failed: u64,
    second: u64,
    told: u32,
}

impl DeadLetters {
    pub(crate) fn connect(
        connection: &Connection,
        topic: &str,
        state: Arc<State>,
    ) -> Result<DeadLetters, kafka::Error> {
        let writer = Writer::connect(&WriterConfig { connection: connection.clone(), ..WriterConfig::default() })?;
        Ok(DeadLetters { writer, topic: topic.to_owned(), state, failed: 0, second: 0, told: 0 })
    }

    /// Writes one. Does not wait for the broker.
    pub(crate) fn write(&mut self, record: &RecordRef<'_>, at_byte: usize, reason: &str) {
        let RecordRef { topic, partition, offset, payload, .. } = *record;
        tracing::warn!(topic, partition, offset, reason, bytes = payload.len(), "a record cannot be read");
        let letter = dead_letter(
            &self.topic,
            &Poisoned {
                domain: &self.state.domain,
                topic,
                partition,
                offset,
                reason,
                at_byte: at_byte as u64,
                payload,
            },
        );
        if let Err(error) = self.writer.send(&letter) {
            tracing::error!(%error, "a dead letter cannot be written");
            self.state.counters.dead_letters_failed.add(1);
        }
    }

    /// Writes one for a record with spans from the future, unless many were written in this second: a fleet with a wrong
    /// clock must not flood the topic.
    pub(crate) fn write_future(&mut self, record: &RecordRef<'_>, spans: u64, now_ms: u64) {
        if now_ms / 1000 != self.second {
            (self.second, self.told) = (now_ms / 1000, 0);
        }
        self.told += 1;
        if self.told <= FUTURE_PER_SECOND {
            self.write(
                record,
                0,
                &format!("{spans} spans are dated too far in the future; check the exporter's clock"),
            );
        }
    }

    /// Waits until all are acknowledged, so that a position may pass them.
    pub(crate) fn settle(&mut self) {
        if self.writer.written().in_flight == 0 {
            return self.note_failures();
        }
        if let Err(error) = self.writer.flush(FLUSH_WAIT) {
            tracing::error!(%error, "dead letters are not acknowledged");
        }
        self.note_failures();
    }

    fn note_failures(&mut self) {
        let failed = self.writer.written().failed;
        self.state.counters.dead_letters_failed.add(failed.saturating_sub(self.failed));
        self.failed = self.failed.max(failed);
    }
}
