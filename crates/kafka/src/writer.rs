//! A plain writer: idempotent, lz4, batched; for `generate`, guards' reports, people's orders and dead letters.

use crate::connection::REACH;
use crate::heard::{Heard, hears};
use crate::polled::PolledProducer;
use crate::sink::base_record;
use crate::{Connection, Error, Outgoing};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    producer: PolledProducer<Count>,
    connection: Connection,
    timeout: Duration,
}

impl Writer {
    /// Makes the producer and sees that a broker answers.
    ///
    /// # Errors
    /// [`Error::Property`], [`Error::Unreachable`], [`Error::Login`].
    pub fn connect(config: &WriterConfig) -> Result<Writer, Error> {
        let connection = &config.connection;
        let defaults = [
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("compression.type", "lz4".to_owned()),
            ("linger.ms", config.linger_ms.to_string()),
            ("batch.size", "1000000".to_owned()),
            ("queue.buffering.max.kbytes", (config.buffer_bytes_max / 1024).clamp(1, 2_097_151).to_string()),
            ("queue.buffering.max.messages", "1000000".to_owned()),
            ("message.timeout.ms", config.timeout_ms.to_string()),
        ];
        let count = Count { heard: connection.producer_context()?, ..Count::default() };
        let heard = count.heard.clone();
        let producer = PolledProducer::connect(connection, connection.producer_config(&defaults)?, count)?;
        connection.reach(producer.client(), &heard, None, REACH, &|| {})?;
        let timeout = Duration::from_millis(u64::from(config.timeout_ms));
        Ok(Writer { producer, connection: connection.clone(), timeout })
    }

    /// Hands a record over; waits while the buffer is full, up to the configured timeout.
    ///
    /// # Errors
    /// [`Error::Failed`] if the buffer stayed full, or the record can never be written (too large, no such topic).
    pub fn send(&self, record: &Outgoing) -> Result<(), Error> {
        self.hand_over(base_record(record, ()))
    }

    /// The same without an owned record, for the fast path of generators.
    ///
    /// # Errors
    /// As [`Writer::send`].
    pub fn send_bytes(&self, topic: &str, key: Option<&[u8]>, payload: &[u8]) -> Result<(), Error> {
        let mut record = BaseRecord::to(topic).payload(payload);
        record.key = key;
        self.hand_over(record)
    }

    /// Waits until everything is acknowledged or has failed.
    ///
    /// # Errors
    /// [`Error::Failed`] if records are still in flight after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<Written, Error> {
        // Not rdkafka's own flush: that sleeps for 100 ms when its polling thread was faster with the last answer.
        let deadline = Instant::now() + timeout;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() >= deadline {
                let what = format!("writing: {} records are still without an answer", self.written().in_flight);
                return Err(Error::Failed { what, reason: self.producer.context().heard.reason() });
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(self.written())
    }

    /// What has been done so far.
    pub fn written(&self) -> Written {
        let count = self.producer.context();
        Written {
            acknowledged: count.acknowledged.load(Ordering::Relaxed),
            failed: count.failed.load(Ordering::Relaxed),
            in_flight: u64::try_from(self.producer.in_flight_count()).unwrap_or(0),
            last_error: count.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn hand_over(&self, mut record: BaseRecord<'_, [u8], [u8], ()>) -> Result<(), Error> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < deadline =>
                {
                    record = again;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, record)) => {
                    return Err(self.connection.failed(&format!("writing to topic `{}`", record.topic), &error));
                }
            }
        }
    }
}

/// The producer's context: counts the broker's answers.
#[derive(Default)]
struct Count {
    heard: Heard,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    last_error: Mutex<Option<String>>,
}

hears!(Count);

impl ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        match result {
            Ok(_) => self.acknowledged.fetch_add(1, Ordering::Relaxed),
            Err((error, _)) => {
                *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}
