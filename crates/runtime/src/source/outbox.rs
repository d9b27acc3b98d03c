//! Batches on their way to the shards. What does not fit waits here, and the source pauses until it is gone.

use crate::batch::Batch;
use std::collections::VecDeque;
use tokio::sync::mpsc::{self, error::TrySendError};

/// What became of the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// All are with their shards.
    Clear,
    /// Some wait: read nothing more.
    Full,
    /// A shard is gone.
    Gone,
}

/// The way to all shards.
#[derive(Debug)]
pub(crate) struct Outbox {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    sender: mpsc::Sender<Batch>,
    waiting: VecDeque<Batch>,
}

impl Outbox {
    /// One sender per shard, in their order.
    pub(crate) fn new(senders: Vec<mpsc::Sender<Batch>>) -> Outbox {
        Outbox { lanes: senders.into_iter().map(|sender| Lane { sender, waiting: VecDeque::new() }).collect() }
    }

    /// Takes batches for their shards. Call [`Outbox::flush`] after it, and offer nothing more while that says `Full`.
    pub(crate) fn offer(&mut self, batches: Vec<(usize, Batch)>) {
        for (shard, batch) in batches {
            self.lanes[shard].waiting.push_back(batch);
        }
    }

    /// Hands over what the shards have room for.
    pub(crate) fn flush(&mut self) -> Flow {
        let flows: Vec<Flow> = self.lanes.iter_mut().map(Lane::flush).collect();
        let any = |flow| flows.contains(&flow).then_some(flow);
        any(Flow::Gone).or_else(|| any(Flow::Full)).unwrap_or(Flow::Clear)
    }
}

impl Lane {
    fn flush(&mut self) -> Flow {
        while let Some(batch) = self.waiting.pop_front() {
            match self.sender.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch)) => {
                    self.waiting.push_front(batch);
                    return Flow::Full;
                }
                Err(TrySendError::Closed(_)) => return Flow::Gone,
            }
        }
        if self.sender.is_closed() { Flow::Gone } else { Flow::Clear }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_waits_in_order_and_nothing_is_lost() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut outbox = Outbox::new(vec![sender]);
        let batch = |count: usize| (0, Batch { spans: vec![model::Span::default(); count], ..Batch::default() });
        outbox.offer((1..=5).map(batch).collect());
        let mut seen = Vec::new();
        while outbox.flush() == Flow::Full {
            assert_eq!(receiver.len(), 2, "never more than the channel holds");
            seen.extend(receiver.try_recv().map(|batch| batch.spans.len()));
        }
        while let Ok(batch) = receiver.try_recv() {
            seen.push(batch.spans.len());
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        drop(receiver);
        assert_eq!(outbox.flush(), Flow::Gone);
    }
}
