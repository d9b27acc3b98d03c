//! A plain writer: idempotent, lz4, batched; for `generate`, guards' reports, people's orders and dead letters.
#![allow(clippy::todo)]

use crate::{Connection, Error, Outgoing};
use std::time::Duration;

/// How a writer writes.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// The brokers.
    pub connection: Connection,
    /// How long records wait for company, milliseconds.
    pub linger_ms: u32,
    /// How many bytes may wait to be sent.
    pub buffer_bytes_max: usize,
    /// A record that is not acknowledged for so long has failed, milliseconds.
    pub timeout_ms: u32,
}

impl Default for WriterConfig {
    fn default() -> Self {
        WriterConfig { connection: Connection::default(), linger_ms: 5, buffer_bytes_max: 64 << 20, timeout_ms: 30_000 }
    }
}

/// What a writer has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records acknowledged by the broker.
    pub acknowledged: u64,
    /// Records that failed for good.
    pub failed: u64,
    /// Records that wait for an answer.
    pub in_flight: u64,
    /// Why the last failed one failed.
    pub last_error: Option<String>,
}

/// A producer that any thread may use.
pub struct Writer {
    _private: (),
}

impl Writer {
    /// Makes the producer and sees that a broker answers.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`].
    pub fn connect(_config: &WriterConfig) -> Result<Writer, Error> {
        todo!()
    }

    /// Hands a record over; waits while the buffer is full, up to the configured timeout.
    ///
    /// # Errors
    /// [`Error::Failed`] if the buffer stayed full, or the record can never be written (too large, no such topic).
    pub fn send(&self, _record: &Outgoing) -> Result<(), Error> {
        todo!()
    }

    /// The same without an owned record, for the fast path of generators.
    ///
    /// # Errors
    /// As [`Writer::send`].
    pub fn send_bytes(&self, _topic: &str, _key: Option<&[u8]>, _payload: &[u8]) -> Result<(), Error> {
        todo!()
    }

    /// Waits until everything is acknowledged or has failed.
    ///
    /// # Errors
    /// [`Error::Failed`] if records are still in flight after `timeout`.
    pub fn flush(&self, _timeout: Duration) -> Result<Written, Error> {
        todo!()
    }

    /// What has been done so far.
    pub fn written(&self) -> Written {
        todo!()
    }
}
