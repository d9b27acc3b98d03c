//! The commit actor: one transaction per step, on a thread of its own that may block on the broker.

use crate::capacity::{COMMIT_ATTEMPTS, STEPS};
use crate::clock::now_ms;
use crate::draft::Draft;
use crate::news::Post;
use crate::scribe::Scribe;
use crate::state::State;
use actix::prelude::*;
use kafka::{Committed as Written, Sink, SinkError, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A step that is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed {
    /// The time that its commands say they were issued.
    pub(crate) issued_ms: u64,
    /// Where its last journal record lies.
    pub(crate) journal_at: Option<(i32, i64)>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// A step in the log, or why the generation is over.
pub(crate) type Outcome = Result<Committed, String>;

/// A step to be written.
pub(crate) struct CommitStep(pub(crate) Arc<Draft>);

impl Message for CommitStep {
    type Result = Outcome;
}

/// Writes steps.
pub(crate) struct Commit {
    sink: Sink,
    scribe: Scribe,
    state: Arc<State>,
    stop: Arc<AtomicBool>,
    post: Post,
}

impl Commit {
    pub(crate) fn new(sink: Sink, scribe: Scribe, state: Arc<State>, stop: Arc<AtomicBool>, post: Post) -> Commit {
        Commit { sink, scribe, state, stop, post }
    }

    fn commit(&mut self, draft: &Draft) -> Outcome {
        let (began, issued_ms) = (Instant::now(), now_ms());
        let mut step = self.scribe.write(draft, issued_ms);
        self.state.progress.commit_begins();
        let written = self.write(&mut step);
        self.state.progress.commit_ends();
        let written = written?;
        let last = |topic: &str| {
            let placed = step.records.iter().zip(&written.placed).rfind(|(record, _)| record.topic == topic);
            placed.map(|(_, place)| (place.partition, place.offset))
        };
        self.scribe.audit_at = last(&self.scribe.topics.audit).or(self.scribe.audit_at);
        Ok(Committed { issued_ms, journal_at: last(&self.scribe.topics.journal), took: began.elapsed() })
    }

    /// Tries again what may be tried again, and leaves out what the broker will never take, unless the log would then
    /// tell a lie.
    fn write(&mut self, step: &mut Step) -> Result<Written, String> {
        let mut pause = Duration::from_millis(50);
        for _ in 0..COMMIT_ATTEMPTS {
            match self.sink.commit(step) {
                Ok(written) => return Ok(written),
                Err(SinkError::Retry { reason }) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::warn!(reason, "a step was aborted and is tried again");
                    self.state.counters.commit_retries.add(1);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(SinkError::Refused { index, topic, reason }) if self.may_leave_out(&topic) => {
                    tracing::error!(topic, reason, "the broker refuses a record: left out");
                    self.state.counters.records_refused.add(1);
                    step.records.remove(index);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("a step was aborted again and again".to_owned())
    }

    /// A journal or a trail with a gap would not be one.
    fn may_leave_out(&self, topic: &str) -> bool {
        topic != self.scribe.topics.journal && topic != self.scribe.topics.audit
    }
}

impl Actor for Commit {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(STEPS);
    }

    /// The engine is gone and has nothing more to write.
    fn stopped(&mut self, _: &mut Context<Self>) {
        self.post.finish();
    }
}

impl Handler<CommitStep> for Commit {
    type Result = Outcome;

    fn handle(&mut self, step: CommitStep, ctx: &mut Context<Self>) -> Outcome {
        let outcome = self.commit(&step.0);
        if let Err(why) = &outcome {
            self.post.fail(why);
            ctx.stop();
        }
        outcome
    }
}
