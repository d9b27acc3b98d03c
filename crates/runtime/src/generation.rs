//! A generation: all actors and threads that live under one claim, wired together. It is built whole and torn down whole.

use crate::actors::{Commit, Doors, EngineActor, EngineSeed, Operator, OperatorSeed, ShardActor};
use crate::capacity::{BATCHES_PER_SHARD, NOTES, PARTS_PER_SHARD};
use crate::clock::now_ms;
use crate::config::PipelineConfig;
use crate::election::Grant;
use crate::ledger::Ledger;
use crate::mind::{Mind, MindSeed};
use crate::news::{News, Post};
use crate::recovery::Recovery;
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::source::{self, SourceSeed};
use crate::state::{Role, State, locked};
use crate::tails::{self, TailsSeed};
use actix::prelude::*;
use control::OrderGate;
use engine::Input;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use window::{Merger, MergerConfig, Shard};

/// What every generation of a pipeline shares.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) config: Arc<PipelineConfig>,
    pub(crate) state: Arc<State>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) recovery: Arc<Mutex<Recovery>>,
    pub(crate) news: mpsc::Sender<News>,
}

/// A running generation.
pub(crate) struct Generation {
    /// The ways in.
    pub(crate) doors: Doors,
    stop: Arc<AtomicBool>,
    arbiters: Vec<Arbiter>,
    threads: Vec<JoinHandle<()>>,
}

impl Generation {
    /// Builds generation `number` on a claim.
    pub(crate) fn start(number: u64, common: &Common, grant: Grant) -> std::io::Result<Generation> {
        let Common { config, state, signals, news, .. } = common;
        let post = |role| Post::new(number, role, news);
        let stop = Arc::new(AtomicBool::new(false));
        let closed_ns = Ledger::new(&config.topics.traces, config.window.width_ns, 0, &grant.positions).closed_ns();
        let positions = grant.positions.clone();
        state.progress.generation_starts();

        let commit_arbiter = Arbiter::new();
        let (mind, commit) = write_side(common, grant, &stop, post(Role::Commit), &commit_arbiter);
        let mut arbiters = vec![commit_arbiter];

        let (parts, closed) = mpsc::channel(PARTS_PER_SHARD * config.shards);
        let (notes_in, notes) = mpsc::channel(NOTES);
        let tick = Duration::from_millis(config.tick_ms);
        let seed = EngineSeed { mind, commit, closed, notes, tick, post: post(Role::Engine) };
        let arbiter = Arbiter::new();
        let engine = EngineActor::start_in_arbiter(&arbiter.handle(), move |ctx| EngineActor::begin(seed, ctx));
        arbiters.push(arbiter);

        let mut shards = Vec::new();
        for at in 0..config.shards {
            let (batches_in, batches) = mpsc::channel(BATCHES_PER_SHARD);
            let mut shard = Shard::new(config.window.clone());
            if closed_ns > 0 {
                shard.resume(closed_ns);
            }
            let actor = ShardActor::new(at, shard, parts.clone(), state.clone(), post(Role::Shard));
            let arbiter = Arbiter::new();
            ShardActor::start_in_arbiter(&arbiter.handle(), move |ctx| {
                ctx.add_stream(tokio_stream::wrappers::ReceiverStream::new(batches));
                actor
            });
            arbiters.push(arbiter);
            shards.push(batches_in);
        }
        // The engine's stream ends when the last shard has dropped its sender.
        drop(parts);

        let tails = TailsSeed {
            connection: config.connection.clone(),
            orders: config.topics.orders.clone(),
            reports: config.topics.reports.clone(),
            stop: stop.clone(),
        };
        let (heard, mut threads) = tails::start(&tails)?;
        let seed = OperatorSeed {
            gate: OrderGate::new(config.domain(), config.keyring.clone()),
            orders: engine.clone().recipient(),
            reports: engine.clone().recipient(),
            heard,
            state: state.clone(),
            post: post(Role::Operator),
        };
        let arbiter = Arbiter::new();
        let operator = Operator::start_in_arbiter(&arbiter.handle(), move |ctx| Operator::begin(seed, ctx));
        arbiters.push(arbiter);

        let seed = SourceSeed {
            config: config.clone(),
            state: state.clone(),
            signals: signals.clone(),
            stop: stop.clone(),
            positions,
            shards,
            notes: notes_in,
            post: post(Role::Source),
        };
        threads.push(std::thread::Builder::new().name("source".into()).spawn(move || source::run(seed))?);
        let doors = Doors { orders: operator.recipient(), configuration: engine.recipient() };
        Ok(Generation { doors, stop, arbiters, threads })
    }

    /// Ends every part and waits for the threads. Blocks, for as long as a commit under way may take.
    pub(crate) fn tear_down(self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(self.doors);
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        for arbiter in self.arbiters {
            let _ = arbiter.join();
        }
    }
}

/// The mind, as it was when the last generation's last step was acknowledged, and the commit actor under the new epoch.
fn write_side(
    common: &Common,
    grant: Grant,
    stop: &Arc<AtomicBool>,
    post: Post,
    arbiter: &Arbiter,
) -> (Mind, Recipient<crate::actors::CommitStep>) {
    let Common { config, state, recovery, .. } = common;
    let Grant { sink, epoch, chain, audit_at, memo, further, .. } = grant;
    let scribe = Scribe {
        domain: config.domain().to_owned(),
        epoch,
        topics: config.topics.clone(),
        signer: config.signer.clone(),
        chain,
        next_index: 0,
        audit_at,
    };
    let known = locked(recovery).engine(&config.engine, &further);
    locked(recovery).set_snapshot(known.snapshot());
    let merger = MergerConfig { width_ns: config.window.width_ns, ..MergerConfig::default() };
    let mut mind = Mind::new(MindSeed {
        engine: known,
        merger: Merger::with(config.shards, merger),
        shards: config.shards,
        digest_every_windows: config.digest_every_windows,
        configured_mode: config.engine.mode,
        state: state.clone(),
        recovery: recovery.clone(),
    });
    // The first inputs of the epoch; they go into the log with the first step.
    let orders = memo.unwrap_or_default().orders(config.engine.mode, now_ms());
    mind.begin(orders.into_iter().map(Input::Order).collect());
    let commit = Commit::new(sink, scribe, state.clone(), stop.clone(), post);
    let commit = Commit::start_in_arbiter(&arbiter.handle(), move |_| commit);
    (mind, commit.recipient())
}
