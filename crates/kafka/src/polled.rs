//! A producer whose answers are heard by a thread of its own, which sleeps while none is awaited.
//!
//! rdkafka's `ThreadedProducer` does the same but counts the rest of each poll in whole milliseconds, and so spins for up to one
//! at the end of every tenth of a second, whether anything is in flight or not.

use crate::{Connection, Error};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one poll lasts while something is in flight; answers are heard as they come.
const POLL: Duration = Duration::from_millis(100);
/// How often an idle client is asked for what else it has to say: errors, logins that expire.
const IDLE: Duration = Duration::from_millis(100);
/// What an idle client may say at once: a poll that does not wait hears one event.
const EVENTS_MAX: usize = 16;

/// A wait in whole milliseconds, rounded up: rdkafka's consumers count in these too, and spin through what is left of one.
pub(crate) fn whole_ms(wait: Duration) -> Duration {
    let us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    Duration::from_millis(us.div_ceil(1000))
}

/// Why a record was not taken, and the record.
pub(crate) type NotSent<'a, K, P, D> = (KafkaError, BaseRecord<'a, K, P, D>);

/// A producer that any thread may use.
pub(crate) struct PolledProducer<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext + 'static> PolledProducer<C> {
    /// Makes the producer and starts hearing.
    ///
    /// # Errors
    /// [`Error::Property`]; [`Error::Failed`] if the client or its thread cannot be made.
    pub(crate) fn connect(connection: &Connection, config: ClientConfig, context: C) -> Result<Self, Error> {
        let producer: BaseProducer<C> =
            config.create_with_context(context).map_err(|error| connection.refused(&error))?;
        let (producer, over) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let hearing = std::thread::Builder::new().name("answers".to_owned()).spawn({
            let (producer, over) = (producer.clone(), over.clone());
            move || hear(&producer, &over)
        });
        let what = || "starting the thread that hears a producer's answers".to_owned();
        let thread = hearing.map_err(|error| Error::Failed { what: what(), reason: error.to_string() })?;
        Ok(PolledProducer { producer, over, thread: Some(thread) })
    }

    /// Hands a record over without waiting.
    ///
    /// # Errors
    /// As rdkafka's: the buffer is full, or the record can never be written. The record comes back.
    #[expect(clippy::result_large_err, reason = "as rdkafka gives it: whoever tries again needs the record")]
    pub(crate) fn send<'a, K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
        &self,
        record: BaseRecord<'a, K, P, C::DeliveryOpaque>,
    ) -> Result<(), NotSent<'a, K, P, C::DeliveryOpaque>> {
        self.producer.send(record)?;
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        Ok(())
    }
}

fn hear<C: ProducerContext>(producer: &BaseProducer<C>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if producer.in_flight_count() > 0 {
            producer.poll(POLL);
        } else {
            (0..EVENTS_MAX).for_each(|_| producer.poll(Duration::ZERO));
            std::thread::park_timeout(IDLE);
        }
    }
}

/// All but [`PolledProducer::send`] is rdkafka's.
impl<C: ProducerContext + 'static> Deref for PolledProducer<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &BaseProducer<C> {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for PolledProducer<C> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // What it heard last has been told; that it panicked was, too.
            let _ = thread.join();
        }
    }
}
