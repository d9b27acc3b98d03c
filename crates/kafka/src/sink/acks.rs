//! Collects the broker's answer to every record of the present step.

use crate::Placed;
use crate::heard::{Heard, hears};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// The producer's context: its polling thread writes answers here.
#[derive(Default)]
pub(super) struct Acks {
    pub(super) heard: Heard,
    pending: Mutex<Pending>,
    complete: Condvar,
}

#[derive(Default)]
struct Pending {
    step: u64,
    missing: usize,
    answers: Vec<Option<Result<Placed, KafkaError>>>,
}

impl Acks {
    pub(super) fn hearing(heard: Heard) -> Acks {
        Acks { heard, ..Acks::default() }
    }

    /// From now on answers to `step` are collected, others are dropped.
    pub(super) fn begin(&self, step: u64, records: usize) {
        let answers = std::iter::repeat_with(|| None).take(records).collect();
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Pending { step, missing: records, answers };
    }

    /// Every answer in the step's order, or `None` if one is missing at the deadline.
    pub(super) fn wait(&self, deadline: Instant) -> Option<Vec<Result<Placed, KafkaError>>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        while pending.missing > 0 {
            let left = deadline.checked_duration_since(Instant::now())?;
            pending = self.complete.wait_timeout(pending, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut pending.answers).into_iter().collect()
    }
}

hears!(Acks);

impl ProducerContext for Acks {
    /// The step's number and the record's place in it.
    type DeliveryOpaque = Box<(u64, usize)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Box<(u64, usize)>) {
        let (step, index) = *opaque;
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.step != step || index >= pending.answers.len() || pending.answers[index].is_some() {
            return;
        }
        pending.answers[index] = Some(match result {
            Ok(message) => Ok(Placed { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.clone()),
        });
        pending.missing -= 1;
        if pending.missing == 0 {
            self.complete.notify_all();
        }
    }
}
