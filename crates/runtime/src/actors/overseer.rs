//! The overseer: one generation at a time. Whatever dies ends its generation, and the next one is built after a pause;
//! a drain ends the pipeline in order, and its deadline, or a second request, by force.

use crate::actors::{Configured, Posted};
use crate::capacity::{BACK_OFF_MAX, BACK_OFF_MIN, HEALTHY_AFTER, LOOK_EVERY};
use crate::election::{Ask, Grant};
use crate::generation::{Common, Generation};
use crate::news::{Left, News};
use crate::signals::Drain;
use crate::state::{Phase, Role, locked};
use crate::summary::Ended;
use actix::prelude::*;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// An engine that dies so often in a row will die again: a person has to look.
const ENGINE_DEATHS_MAX: u32 = 3;

/// The ways into the generation that runs. One handle each, used by all: the mailboxes stay bounded.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) orders: Recipient<Posted>,
    pub(crate) configuration: Recipient<Configured>,
}

/// The doors, while a generation runs.
pub(crate) type Door = Arc<Mutex<Option<Doors>>>;

/// What the overseer needs to start.
pub(crate) struct OverseerSeed {
    pub(crate) common: Common,
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) asks: SyncSender<Ask>,
    pub(crate) door: Door,
    pub(crate) done: oneshot::Sender<Result<Ended, String>>,
}

/// The overseer's actor.
pub(crate) struct Overseer {
    common: Common,
    asks: SyncSender<Ask>,
    door: Door,
    done: Option<oneshot::Sender<Result<Ended, String>>>,
    number: u64,
    stage: Stage,
    started: Instant,
    back_off: Duration,
    engine_deaths: u32,
}

enum Stage {
    /// Waiting for a claim.
    Waiting,
    /// A generation runs.
    Running(Generation),
    /// A generation is being torn down; then this.
    Leaving(Next),
    /// The next claim is asked for at this time.
    Pausing(Instant),
    /// Done.
    Over,
}

#[derive(Clone, Debug)]
enum Next {
    Again,
    End(Result<Ended, String>),
}

impl Overseer {
    /// The actor in its context, with its stream.
    pub(crate) fn begin(seed: OverseerSeed, ctx: &mut Context<Self>) -> Overseer {
        let OverseerSeed { common, news, asks, door, done } = seed;
        ctx.add_stream(ReceiverStream::new(news));
        ctx.run_interval(LOOK_EVERY, |actor, _| actor.look());
        let mut overseer = Overseer {
            common,
            asks,
            door,
            done: Some(done),
            number: 0,
            stage: Stage::Waiting,
            started: Instant::now(),
            back_off: BACK_OFF_MIN,
            engine_deaths: 0,
        };
        overseer.claim();
        overseer
    }

    fn claim(&mut self) {
        self.stage = Stage::Waiting;
        self.ask(Ask::Claim);
    }

    /// The election thread takes asks between its polls; its queue is longer than the asks that can be open.
    fn ask(&self, ask: Ask) {
        if self.asks.try_send(ask).is_err() {
            tracing::error!(?ask, "the election thread does not answer");
        }
    }

    fn look(&mut self) {
        self.common.state.progress.overseer_came_round();
        let wanted = self.common.signals.wanted();
        match &self.stage {
            Stage::Running(_) if self.common.signals.overdue() => self.end_generation(Next::End(Ok(Ended::Forced))),
            Stage::Running(_) if wanted != Drain::None => self.phase(Phase::Draining),
            Stage::Waiting if wanted != Drain::None => self.over(Ok(Ended::Drained)),
            // What the generation that died had under way is not committed.
            Stage::Pausing(_) if wanted != Drain::None => self.over(Ok(Ended::Forced)),
            Stage::Pausing(until) if Instant::now() >= *until => self.claim(),
            _ => {}
        }
    }

    fn phase(&self, phase: Phase) {
        if *self.common.state.progress.phase.get() != phase {
            self.common.state.progress.phase.set(phase);
        }
    }

    fn granted(&mut self, grant: Grant) {
        if !matches!(self.stage, Stage::Waiting) {
            return;
        }
        let epoch = grant.epoch;
        self.number += 1;
        self.started = Instant::now();
        match Generation::start(self.number, &self.common, grant) {
            Ok(generation) => {
                tracing::info!(epoch, generation = self.number, "owning the domain");
                self.common.state.counters.generations.add(1);
                *locked(&self.door) = Some(generation.doors.clone());
                self.stage = Stage::Running(generation);
                self.phase(Phase::Running { epoch });
            }
            Err(error) => self.pause(&format!("its threads cannot be started: {error}")),
        }
    }

    /// A part of the generation that runs has left.
    fn left(&mut self, role: Role, left: Left) {
        if !matches!(self.stage, Stage::Running(_)) {
            // It is being torn down.
            return;
        }
        let draining = self.common.signals.wanted() != Drain::None;
        match left {
            // The last to finish in a drain. The others wait for it to be torn down.
            Left::Finished if role == Role::Engine && draining => {
                self.end_generation(Next::End(Ok(self.common.signals.ended())));
            }
            Left::Finished if role == Role::Engine => self.died(Role::Source, "the input ended without being asked"),
            Left::Finished => {}
            Left::Died { why } => self.died(role, &why),
        }
    }

    fn died(&mut self, role: Role, why: &str) {
        let name = role.as_str();
        tracing::error!(part = name, why, generation = self.number, "a part died: the generation ends");
        let healthy = self.started.elapsed() >= HEALTHY_AFTER;
        self.back_off = if healthy { BACK_OFF_MIN } else { (self.back_off * 2).min(BACK_OFF_MAX) };
        self.engine_deaths = if healthy { 0 } else { self.engine_deaths } + u32::from(role == Role::Engine);
        let reason = format!("the {name} died: {why}");
        self.phase(Phase::Rebuilding { why: reason.clone() });
        let next = if self.engine_deaths >= ENGINE_DEATHS_MAX { Next::End(Err(reason)) } else { Next::Again };
        self.end_generation(next);
    }

    /// Tears the generation down on a thread of its own: joining threads blocks.
    fn end_generation(&mut self, next: Next) {
        match std::mem::replace(&mut self.stage, Stage::Leaving(next)) {
            Stage::Running(generation) => {
                *locked(&self.door) = None;
                let (news, number) = (self.common.news.clone(), self.number);
                std::thread::spawn(move || {
                    generation.tear_down();
                    let _ = news.blocking_send(News::TornDown { generation: number });
                });
            }
            // Already leaving: what was to come after stays, unless the end was asked for.
            other => self.stage = other,
        }
    }

    fn torn_down(&mut self) {
        self.ask(Ask::Stopped);
        match std::mem::replace(&mut self.stage, Stage::Waiting) {
            Stage::Leaving(Next::End(ended)) => self.over(ended),
            Stage::Leaving(Next::Again) => self.stage = Stage::Pausing(Instant::now() + self.back_off),
            other => self.stage = other,
        }
    }

    fn pause(&mut self, why: &str) {
        tracing::warn!(why, "the domain cannot be owned yet");
        self.phase(Phase::Rebuilding { why: why.to_owned() });
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
        self.stage = Stage::Pausing(Instant::now() + self.back_off);
    }

    fn lost(&mut self, reason: &str) {
        tracing::warn!(reason, "the ownership has ended");
        self.phase(Phase::Standby);
        self.end_generation(Next::Again);
        self.back_off = BACK_OFF_MIN;
    }

    fn over(&mut self, ended: Result<Ended, String>) {
        self.stage = Stage::Over;
        self.phase(Phase::Ended);
        self.ask(Ask::Leave);
        let _ = self.done.take().map(|done| done.send(ended));
    }
}

impl Actor for Overseer {
    type Context = Context<Self>;
}

impl StreamHandler<News> for Overseer {
    fn handle(&mut self, news: News, _: &mut Context<Self>) {
        match news {
            News::Granted(grant) => self.granted(*grant),
            News::NotGranted { why } => self.pause(&why),
            News::Standby => self.phase(Phase::Standby),
            News::Lost { reason } => self.lost(&reason),
            News::Left { generation, role, left } if generation == self.number => self.left(role, left),
            News::TornDown { generation } if generation == self.number => self.torn_down(),
            News::Left { .. } | News::TornDown { .. } => {}
        }
    }
}
