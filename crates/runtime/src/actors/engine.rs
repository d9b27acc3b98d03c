//! The engine's actor: closed windows and notes are pulled, ticks, orders and reports come by mailbox and overtake them.
//! One step is under way at a time; nothing is told to anyone before its commit is acknowledged.

use crate::actors::commit::Outcome;
use crate::actors::{CommitStep, Committed};
use crate::batch::Closed;
use crate::capacity::ENGINE_MAILBOX;
use crate::clock::now_ms;
use crate::mind::{Mind, Thought};
use crate::news::Post;
use actix::prelude::*;
use engine::{EngineConfig, Input};
use model::{GuardReport, Order};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// A verified order, and who waits for it.
pub(crate) struct Ordered {
    pub(crate) order: Order,
    pub(crate) received: Instant,
    pub(crate) done: Option<oneshot::Sender<()>>,
}

impl Message for Ordered {
    type Result = ();
}

/// Reports of guards.
pub(crate) struct Reports(pub(crate) Vec<GuardReport>);

impl Message for Reports {
    type Result = ();
}

/// A new configuration, validated, and who waits for it.
pub(crate) struct Configured {
    pub(crate) config: Box<EngineConfig>,
    pub(crate) done: oneshot::Sender<()>,
}

impl Message for Configured {
    type Result = ();
}

/// Time for what follows a commit, unless it was done meanwhile.
struct CatchUp;

impl Message for CatchUp {
    type Result = ();
}

/// What the engine's actor needs to start.
pub(crate) struct EngineSeed {
    pub(crate) mind: Mind,
    pub(crate) commit: Recipient<CommitStep>,
    pub(crate) closed: mpsc::Receiver<Closed>,
    pub(crate) notes: mpsc::Receiver<Input>,
    pub(crate) tick: Duration,
    pub(crate) post: Post,
}

/// The engine's actor.
pub(crate) struct EngineActor {
    mind: Mind,
    commit: Recipient<CommitStep>,
    waiting: Vec<Waiting>,
    /// The last commit, while what follows it is still to be done: a snapshot, the picture for readers. An order overtakes
    /// that; what follows its own commit does for both.
    behind: Option<Committed>,
    ending: bool,
    /// It has ended, in order or not. A context that is told to stop still serves what is ready in the same turn; a tick
    /// then would commit the positions of a step whose windows the engine has not taken.
    over: bool,
    post: Post,
}

struct Waiting {
    /// When an order was received; `None` for what is no order.
    received: Option<Instant>,
    done: Option<oneshot::Sender<()>>,
}

impl EngineActor {
    /// The actor in its context, with its streams.
    pub(crate) fn begin(seed: EngineSeed, ctx: &mut Context<Self>) -> EngineActor {
        let EngineSeed { mind, commit, closed, notes, tick, post } = seed;
        ctx.set_mailbox_capacity(ENGINE_MAILBOX);
        ctx.add_stream(ReceiverStream::new(closed));
        ctx.add_stream(ReceiverStream::new(notes));
        ctx.run_interval(tick, |actor, ctx| actor.step(ctx, |mind| mind.tick(now_ms())));
        EngineActor { mind, commit, waiting: Vec::new(), behind: None, ending: false, over: false, post }
    }

    /// Thinks, and sends what came of it to the commit actor. The context waits for the answer: the next step begins
    /// after it, and whatever came by mailbox meanwhile goes first.
    fn step(&mut self, ctx: &mut Context<Self>, think: impl FnOnce(&mut Mind) -> Thought) {
        self.catch_up();
        self.step_at_once(ctx, think);
    }

    /// The same without what should follow the last commit: the engine's state will be another.
    fn step_at_once(&mut self, ctx: &mut Context<Self>, think: impl FnOnce(&mut Mind) -> Thought) {
        if self.over {
            return;
        }
        self.behind = None;
        match think(&mut self.mind) {
            Thought::Nothing => self.after(ctx),
            Thought::Draft(draft) => {
                let sent = self.commit.send(CommitStep(draft));
                ctx.wait(sent.into_actor(self).map(|answer, actor, ctx| actor.answered(answer, ctx)));
            }
            Thought::Broken(why) => self.fail(ctx, &why),
        }
        // While the commit is under way.
        self.mind.clear_away();
    }

    fn answered(&mut self, answer: Result<Outcome, MailboxError>, ctx: &mut Context<Self>) {
        match answer.map_err(|error| error.to_string()).and_then(|outcome| outcome) {
            Ok(committed) => {
                self.mind.acknowledged(&committed);
                for waiting in self.waiting.drain(..) {
                    let _ = waiting.received.map(|received| self.mind.order_done(received.elapsed()));
                    let _ = waiting.done.map(|done| done.send(()));
                }
                self.behind = Some(committed);
                if self.ending {
                    self.catch_up();
                }
                ctx.notify(CatchUp);
                self.after(ctx);
            }
            Err(why) => self.fail(ctx, &why),
        }
    }

    fn catch_up(&mut self) {
        if let Some(committed) = self.behind.take() {
            self.mind.catch_up(&committed);
        }
    }

    /// Lets the mailbox have its turn, or ends if the streams have ended.
    fn after(&mut self, ctx: &mut Context<Self>) {
        if self.ending {
            self.over = true;
            self.post.finish();
            ctx.stop();
        } else {
            ctx.wait(fut::ready(()));
        }
    }

    fn fail(&mut self, ctx: &mut Context<Self>, why: &str) {
        self.over = true;
        self.post.fail(why);
        ctx.stop();
    }
}

impl Actor for EngineActor {
    type Context = Context<Self>;
}

impl StreamHandler<Closed> for EngineActor {
    fn handle(&mut self, closed: Closed, ctx: &mut Context<Self>) {
        self.step(ctx, |mind| mind.closed(closed));
    }

    /// Every shard is done: one last step with whatever is held, and the end.
    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.ending = true;
        self.step(ctx, Mind::last);
    }
}

impl StreamHandler<Input> for EngineActor {
    fn handle(&mut self, note: Input, ctx: &mut Context<Self>) {
        self.step(ctx, |mind| mind.take(vec![note]));
    }

    /// The source has ended; the shards may still have parts.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Ordered> for EngineActor {
    type Result = ();

    fn handle(&mut self, ordered: Ordered, ctx: &mut Context<Self>) {
        let Ordered { order, received, done } = ordered;
        self.waiting.push(Waiting { received: Some(received), done });
        self.step_at_once(ctx, |mind| mind.order(order));
    }
}

impl Handler<CatchUp> for EngineActor {
    type Result = ();

    fn handle(&mut self, _: CatchUp, _: &mut Context<Self>) {
        self.catch_up();
    }
}

impl Handler<Configured> for EngineActor {
    type Result = ();

    fn handle(&mut self, configured: Configured, ctx: &mut Context<Self>) {
        self.waiting.push(Waiting { received: None, done: Some(configured.done) });
        self.step(ctx, |mind| mind.configure(configured.config));
    }
}

impl Handler<Reports> for EngineActor {
    type Result = ();

    fn handle(&mut self, reports: Reports, ctx: &mut Context<Self>) {
        self.step(ctx, |mind| mind.reports(reports.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mind::{Desk, MindSeed};
    use crate::state::{Role, State};
    use engine::Engine;
    use model::{Mode, OrderKind};
    use std::sync::Arc;
    use window::Merger;

    /// Takes its time for each step, and puts it at the next offset.
    struct Log(i64);

    impl Actor for Log {
        type Context = Context<Self>;
    }

    impl Handler<CommitStep> for Log {
        type Result = ResponseFuture<Outcome>;

        fn handle(&mut self, _: CommitStep, _: &mut Context<Self>) -> ResponseFuture<Outcome> {
            self.0 += 1;
            let committed = Committed { issued_ms: 0, journal_at: Some((0, self.0)), took: Duration::ZERO };
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(committed)
            })
        }
    }

    fn order(number: u64) -> Ordered {
        let order = Order {
            id: number.to_string(),
            by: "kim".into(),
            note: String::new(),
            at_ms: number,
            kind: OrderKind::Disarm,
        };
        Ordered { order, received: Instant::now(), done: None }
    }

    #[test]
    fn an_order_overtakes_the_snapshot_that_follows_a_commit() {
        let taken = System::new().block_on(async {
            let (desk, taken) = Desk::new();
            let mind = Mind::new(MindSeed {
                engine: Engine::new(EngineConfig::default()),
                merger: Merger::new(1),
                shards: 1,
                digest_every_windows: 0,
                snapshot_every_windows: 30,
                journal_index: 0,
                wanted: Arc::default(),
                suspects: Arc::default(),
                state: Arc::new(State::new("here", Mode::Observe, 1)),
                desk,
            });
            let ((_parts, closed), (_notes, notes), (news, _heard)) =
                (mpsc::channel(1), mpsc::channel(1), mpsc::channel(8));
            let (commit, tick) = (Log(0).start().recipient(), Duration::from_secs(3600));
            let seed = EngineSeed { mind, commit, closed, notes, tick, post: Post::new(1, Role::Engine, &news) };
            let engine = EngineActor::create(|ctx| EngineActor::begin(seed, ctx));
            // A snapshot is due after the first commit already; the second order comes while that is under way.
            let (first, second) = tokio::join!(engine.send(order(1)), engine.send(order(2)));
            first.and(second).expect("the engine runs");
            for _ in 0..1000 {
                if let Ok(taken) = taken.try_recv() {
                    return taken.journal_at;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("a snapshot is taken");
        });
        assert_eq!(taken, (0, 2), "of the state after both orders");
    }
}
