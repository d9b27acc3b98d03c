//! A shard's actor: batches in, closed parts out, on a thread of its own.

use crate::batch::{Batch, Closed};
use crate::guarded::guarded;
use crate::news::Post;
use crate::state::State;
use crate::suspects::Suspects;
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use window::{Shard, ShardCounters};

/// With every so many batches it is told how much memory a shard holds.
const WEIGHED_EVERY: u64 = 16;

/// One shard.
pub(crate) struct ShardActor {
    at: usize,
    shard: Shard,
    parts: mpsc::Sender<Closed>,
    state: Arc<State>,
    suspects: Arc<Suspects>,
    /// Batches that it has taken.
    batches: u64,
    /// What was published of it already.
    told: ShardCounters,
    post: Post,
}

impl ShardActor {
    pub(crate) fn new(
        at: usize,
        shard: Shard,
        parts: mpsc::Sender<Closed>,
        (state, suspects): (Arc<State>, Arc<Suspects>),
        post: Post,
    ) -> Self {
        ShardActor { at, shard, parts, state, suspects, batches: 0, told: ShardCounters::default(), post }
    }

    fn take(&mut self, batch: &Batch) -> Option<Closed> {
        #[cfg(feature = "testing")]
        crate::tripwire::shard(&batch.spans);
        self.batches += 1;
        // Names go in with the first run, and also when there is none.
        self.shard.observe(&[], &batch.names, window::Counting::PROMPT);
        let mut rest = batch.spans.as_slice();
        for run in &batch.runs {
            let (spans, after) = rest.split_at(run.spans);
            self.shard.observe(spans, &[], run.how);
            rest = after;
        }
        let Some(mark) = batch.mark.clone() else {
            self.shard.pass(batch.low_ns);
            self.publish();
            return None;
        };
        let parts = match mark.ended {
            true => self.shard.close_all(mark.closed_ns),
            false => self.shard.close_until(mark.closed_ns),
        };
        self.publish();
        // What has passed beyond the last window can wait for the next batch: the engine waits for these parts.
        Some(Closed { shard: self.at, parts, mark })
    }

    fn publish(&mut self) {
        let (counted, gauge) = (self.shard.counters(), &self.state.shards[self.at]);
        // Adding up what thousands of rows hold takes its time.
        if self.batches % WEIGHED_EVERY == 1 {
            gauge.bytes.store(self.shard.bytes() as u64, Ordering::Relaxed);
        }
        gauge.spans.store(counted.remembered, Ordering::Relaxed);
        let (counters, told) = (&self.state.counters, std::mem::replace(&mut self.told, counted));
        counters.duplicates.add(counted.duplicates.saturating_sub(told.duplicates));
        counters.settled_early.add(counted.early.saturating_sub(told.early));
        counters.evicted.add(counted.evicted.saturating_sub(told.evicted));
    }
}

impl Actor for ShardActor {
    type Context = Context<Self>;
}

impl StreamHandler<Batch> for ShardActor {
    fn handle(&mut self, batch: Batch, ctx: &mut Context<Self>) {
        match guarded("a shard", || self.take(&batch)) {
            Ok(None) => ctx.wait(fut::ready(())),
            Ok(Some(closed)) => {
                let parts = self.parts.clone();
                let sent = async move { parts.send(closed).await.is_ok() };
                ctx.wait(sent.into_actor(self).map(|sent, _, ctx| {
                    if !sent {
                        ctx.stop()
                    }
                }));
            }
            Err(panicked) => {
                self.state.counters.panics.add(1);
                self.suspects.shard_died(batch.origin);
                self.post.fail(panicked);
                ctx.stop();
            }
        }
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.post.finish();
        ctx.stop();
    }
}
