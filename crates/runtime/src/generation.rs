//! A generation: all actors and threads that live under one claim, wired together. It is built whole and torn down whole.

use crate::actors::{Commit, CommitStep, Doors, EngineActor, EngineSeed, Operator, OperatorSeed, ShardActor};
use crate::capacity::{BATCHES_PER_SHARD, NOTES, PARTS_PER_SHARD};
use crate::clock::now_ms;
use crate::config::PipelineConfig;
use crate::election::Grant;
use crate::keeper::{self, KeeperSeed};
use crate::known::Known;
use crate::ledger::Ledger;
use crate::memo::{Memo, no_more_than};
use crate::mind::{Desk, Mind, MindSeed};
use crate::news::{News, Post};
use crate::pinning::pin_shard;
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::source::witness::{self, WitnessSeed};
use crate::source::{self, SourceSeed};
use crate::state::{Role, State, locked};
use crate::suspects::Suspects;
use crate::tails::{self, TailsSeed};
use actix::prelude::*;
use control::OrderGate;
use engine::{EngineConfig, Input};
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
    /// What has crashed the core so far.
    pub(crate) suspects: Arc<Suspects>,
    pub(crate) state: Arc<State>,
    pub(crate) signals: Arc<Signals>,
    /// The engine's configuration as it was last wanted.
    pub(crate) wanted: Arc<Mutex<EngineConfig>>,
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
        let Common { config, state, signals, news, suspects, .. } = common;
        let post = |role| Post::new(number, role, news);
        let stop = Arc::new(AtomicBool::new(false));
        let closed_ns = Ledger::new(&config.topics.traces, config.window.width_ns, 0, &grant.positions).closed_ns();
        let positions = grant.positions.clone();
        state.progress.generation_starts();

        let commit_arbiter = Arbiter::new();
        let (mind, commit, keeper) = write_side(common, grant, &stop, (number, &post), &commit_arbiter);
        let mut arbiters = vec![commit_arbiter];
        let keeper = std::thread::Builder::new().name("keeper".into()).spawn(move || keeper::run(keeper))?;

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
            let actor = ShardActor::new(at, shard, parts.clone(), (state.clone(), suspects.clone()), post(Role::Shard));
            let arbiter = Arbiter::new();
            let pinned = config.pin_shards;
            ShardActor::start_in_arbiter(&arbiter.handle(), move |ctx| {
                if pinned && pin_shard(at).is_none() {
                    tracing::warn!(shard = at, "the system does not let a shard be pinned to a core: it runs unpinned");
                }
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
        threads.push(keeper);
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

        if !config.metrics_topics.is_empty() {
            let (config, state, stop, notes) = (config.clone(), state.clone(), stop.clone(), notes_in.downgrade());
            let seed = WitnessSeed { config, state, stop, notes };
            threads.push(std::thread::Builder::new().name("metrics".into()).spawn(move || witness::run(&seed))?);
        }
        let seed = SourceSeed {
            config: config.clone(),
            state: state.clone(),
            suspects: suspects.clone(),
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

/// The mind as the log has it, the commit actor under the new epoch, and the keeper of its snapshots.
fn write_side(
    common: &Common,
    grant: Grant,
    stop: &Arc<AtomicBool>,
    (number, post): (u64, &dyn Fn(Role) -> Post),
    arbiter: &Arbiter,
) -> (Mind, Recipient<CommitStep>, KeeperSeed) {
    let Common { config, state, wanted, suspects, .. } = common;
    let Grant { sink, snapshots, packer, epoch, chain, audit_at, memo, known, .. } = grant;
    let scribe = Scribe {
        domain: config.domain().to_owned(),
        epoch,
        topics: config.topics.clone(),
        signer: config.signer.clone(),
        chain,
        next_index: known.next_index,
        audit_at,
    };
    let (desk, taken) = Desk::new();
    let keeper = KeeperSeed {
        sink: snapshots,
        packer,
        taken,
        idle: desk.idle.clone(),
        state: state.clone(),
        stop: stop.clone(),
        post: post(Role::Keeper),
    };
    let first = first_inputs(number, &known, &locked(wanted), &memo.unwrap_or_default());
    let merger = MergerConfig { width_ns: config.window.width_ns, ..MergerConfig::default() };
    let mut mind = Mind::new(MindSeed {
        journal_index: known.next_index,
        engine: known.engine,
        merger: Merger::with(config.shards, merger),
        shards: config.shards,
        digest_every_windows: config.digest_every_windows,
        snapshot_every_windows: config.snapshot_every_windows,
        wanted: wanted.clone(),
        suspects: suspects.clone(),
        state: state.clone(),
        desk,
    });
    mind.begin(first);
    let commit = Commit::new(sink, scribe, state.clone(), stop.clone(), post(Role::Commit));
    let commit = Commit::start_in_arbiter(&arbiter.handle(), move |_| commit);
    (mind, commit.recipient(), keeper)
}

/// The first inputs of generation `number`; they go into the log with the first step. The configuration, if it is not the one
/// that the engine has, or if the journal begins with it; and what people have ordered and still holds.
fn first_inputs(number: u64, known: &Known, wanted: &EngineConfig, memo: &Memo) -> Vec<Input> {
    let has = known.engine.config();
    if has.edges_max != wanted.edges_max {
        let (kept, wanted) = (has.edges_max, wanted.edges_max);
        tracing::warn!(
            kept,
            wanted,
            "the cap on edges stays as it was when learning began: begin anew in another domain"
        );
    }
    let wanted = EngineConfig { domain: has.domain.clone(), edges_max: has.edges_max, ..wanted.clone() };
    let orders = match (known.next_index, number) {
        (0, _) => memo.orders(wanted.mode, now_ms()),
        (_, 1) => no_more_than(wanted.mode, known.engine.mode(), now_ms()),
        _ => Vec::new(),
    };
    let config = (known.next_index == 0 || *has != wanted).then(|| Input::Config(Box::new(wanted)));
    config.into_iter().chain(orders.into_iter().map(Input::Order)).collect()
}
