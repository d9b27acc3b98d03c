//! The group's callbacks: being assigned the one partition is being elected, and a revocation waits until whoever acts
//! has stopped.

use super::ClaimEvent;
use crate::heard::{Heard, hears};
use crate::{Connection, Error};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The consumer's context.
#[derive(Default)]
pub(super) struct Election {
    pub(super) heard: Heard,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    elected: bool,
    told_standby: bool,
    closing: bool,
    /// Why the ownership may be about to end, if the client has said so before the group did.
    hint: Option<&'static str>,
    /// Partitions that the group wants back, and that are given when the caller polls again.
    owed: Option<TopicPartitionList>,
    events: VecDeque<ClaimEvent>,
}

impl Election {
    pub(super) fn hearing(heard: Heard) -> Election {
        Election { heard, ..Election::default() }
    }

    pub(super) fn take_event(&self) -> Option<ClaimEvent> {
        self.state().events.pop_front()
    }

    pub(super) fn is_elected(&self) -> bool {
        self.state().elected
    }

    /// Gives away what the group wants back.
    pub(super) fn release(&self, consumer: &BaseConsumer<Election>) {
        let owed = self.state().owed.take();
        if let Some(owed) = owed {
            log_failure(give_back(consumer, &owed));
        }
    }

    /// From now on everything is given away at once.
    pub(super) fn close(&self, consumer: &BaseConsumer<Election>) {
        self.state().closing = true;
        self.release(consumer);
    }

    /// What an error of the client means.
    pub(super) fn weigh(&self, connection: &Connection, error: &KafkaError) -> Result<(), Error> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PollExceeded) => {
                self.state().hint = Some("it was not polled in time (a stopped or overloaded process)");
                Ok(())
            }
            Some(RDKafkaErrorCode::FencedInstanceId) => {
                let what = "standing for election".to_owned();
                let reason = "another process uses the same instance name; give each its own".to_owned();
                Err(Error::Failed { what, reason })
            }
            _ if crate::connection::denied(error).is_some()
                || matches!(error, KafkaError::MessageConsumptionFatal(_)) =>
            {
                Err(connection.failed("standing for election", error))
            }
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assigned(&self, consumer: &BaseConsumer<Election>, list: &TopicPartitionList) {
        log_failure(match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        });
        let mut state = self.state();
        if list.count() > 0 && !state.elected {
            state.elected = true;
            state.events.push_back(ClaimEvent::Elected);
        } else if !state.elected && !state.told_standby {
            state.told_standby = true;
            state.events.push_back(ClaimEvent::Standby);
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Election>, list: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        let mut state = self.state();
        if state.closing || !state.elected || list.count() == 0 {
            drop(state);
            log_failure(give_back(consumer, list));
            return;
        }
        let heard = if lost { "the group has given it to others" } else { "the group takes it back" };
        let reason = state.hint.take().unwrap_or(heard).to_owned();
        state.elected = false;
        state.told_standby = false;
        state.owed = Some(list.clone());
        state.events.push_back(ClaimEvent::Lost { reason });
    }
}

fn give_back(consumer: &BaseConsumer<Election>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        _ => consumer.unassign(),
    }
}

/// The group repeats what went wrong; whether this process may act is decided by fencing, not here.
fn log_failure(result: KafkaResult<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "election: taking or giving the claims partition");
    }
}

hears!(Election);

impl ConsumerContext for Election {
    fn rebalance(&self, consumer: &BaseConsumer<Election>, why: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match why {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            _ => self.revoked(consumer, list),
        }
    }
}
