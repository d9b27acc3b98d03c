//! What an error of the producer means for the step and for the sink.
//!
//! Source: librdkafka INTRODUCTION.md, "Transactional producer" (fatal, abortable and retriable errors).

use super::SinkError;
use super::acks::Acks;
use crate::Outgoing;
use crate::polled::PolledProducer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer;
use std::fmt;

/// As [`SinkError`], but it can be kept and told again.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Retry { reason: String },
    Refused { index: usize, topic: String, reason: String },
    Fenced { reason: String },
    Indefinite { reason: String },
    Fatal { reason: String },
}

impl Verdict {
    /// What an error before the commit means. Whatever is neither fatal nor fenced can be aborted and tried again.
    pub(super) fn of(error: &KafkaError, producer: &PolledProducer<Acks>) -> Verdict {
        let reason = error.to_string();
        let code = error.rdkafka_error_code();
        // A fenced or broken client answers later calls with "wrong state": what broke it says more.
        if let Some((code, why)) = producer.client().fatal_error() {
            return if is_fencing(code) { Verdict::Fenced { reason: why } } else { Verdict::Fatal { reason: why } };
        }
        match code {
            Some(code) if is_fencing(code) => Verdict::Fenced { reason },
            Some(
                Code::TransactionalIdAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::InvalidTransactionTimeout
                | Code::UnsupportedVersion
                | Code::UnsupportedFeature
                | Code::NotConfigured,
            ) => Verdict::Fatal { reason },
            _ => Verdict::Retry { reason },
        }
    }

    /// What an error of one record means.
    pub(super) fn of_record(
        error: &KafkaError,
        index: usize,
        record: &Outgoing,
        producer: &PolledProducer<Acks>,
    ) -> Verdict {
        let refused = || {
            let (topic, reason) = (record.topic.clone(), error.to_string());
            Verdict::Refused { index, topic, reason }
        };
        match error.rdkafka_error_code() {
            Some(
                Code::MessageSizeTooLarge
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::InvalidTopic
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::TopicAuthorizationFailed,
            ) => refused(),
            _ => Verdict::of(error, producer),
        }
    }

    /// May the sink not be used any more?
    pub(super) fn is_deadly(&self) -> bool {
        matches!(self, Verdict::Fenced { .. } | Verdict::Indefinite { .. } | Verdict::Fatal { .. })
    }

    pub(super) fn into_error(self) -> SinkError {
        match self {
            Verdict::Retry { reason } => SinkError::Retry { reason },
            Verdict::Refused { index, topic, reason } => SinkError::Refused { index, topic, reason },
            Verdict::Fenced { reason } => SinkError::Fenced { reason },
            Verdict::Indefinite { reason } => SinkError::Indefinite { reason },
            Verdict::Fatal { reason } => SinkError::Fatal { reason },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_error().fmt(out)
    }
}

/// Is the open transaction certainly not committed after this error of the commit? Either its records did not all reach
/// the broker, or the client says that it has to be aborted.
pub(super) fn is_uncommitted(error: &KafkaError) -> bool {
    match error {
        KafkaError::Flush(_) => true,
        KafkaError::Transaction(error) => error.txn_requires_abort(),
        _ => false,
    }
}

fn is_fencing(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}
