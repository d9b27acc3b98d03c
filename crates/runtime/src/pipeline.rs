//! A pipeline: start it, look at it, order it, end it.

use crate::actors::{Configured, Door, Doors, Overseer, OverseerSeed, Posted};
use crate::capacity::NEWS;
use crate::config::{Broker, PipelineConfig};
use crate::election;
use crate::generation::Common;
use crate::signals::{Drain, Signals};
use crate::state::{State, locked};
use crate::summary::{Ended, Summary};
use actix::prelude::*;
use engine::EngineConfig;
use kafka::Provision;
use model::Order;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// An order's effects are on the topics within this time, or whoever ordered hears that they may not be.
const ORDER_WITHIN: Duration = Duration::from_secs(5);
/// Asks that may wait for the election thread.
const ASKS: usize = 8;

/// Why a pipeline cannot start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Kafka does not let it.
    #[error("the pipeline cannot start: {0}")]
    Kafka(#[from] kafka::Error),
    /// The configuration does not let it.
    #[error("the pipeline cannot start: {0}")]
    Config(String),
    /// The system does not let it.
    #[error("the pipeline's threads cannot be started: {0}")]
    Threads(#[from] std::io::Error),
    /// The engine died again and again: a person has to look. Leases end by themselves.
    #[error("the pipeline gave up: {0}; leases in force expire by themselves")]
    GaveUp(String),
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No engine takes orders at the moment.
    #[error("no engine runs in this process at the moment")]
    NoEngine,
    /// More orders than can be taken are under way.
    #[error("too many orders are under way")]
    Busy,
    /// It is not known whether the effects are on the topics.
    #[error("the order was taken, but its effects were not acknowledged within {} ms", ORDER_WITHIN.as_millis())]
    Unknown,
}

/// A pipeline that does not run yet has no state; [`Pipeline::start`] is the only way in.
#[derive(Debug)]
pub struct Pipeline;

/// A running pipeline. Dropping it without [`Handle::wait`] asks it to stop at once and does not wait.
#[derive(Debug)]
pub struct Handle {
    remote: Remote,
    thread: Option<JoinHandle<Result<Summary, RuntimeError>>>,
}

/// What can be asked of a running pipeline, from any thread.
#[derive(Clone)]
pub struct Remote {
    state: Arc<State>,
    signals: Arc<Signals>,
    door: Door,
    started: Instant,
}

impl Pipeline {
    /// Makes missing topics (not on the embedded broker: see [`kafka::Embedded::create_topics`]) and starts the pipeline
    /// on threads of its own.
    ///
    /// # Errors
    /// If no broker answers, one refuses, or the configuration contradicts itself.
    pub fn start(mut config: PipelineConfig) -> Result<Handle, RuntimeError> {
        check(&config)?;
        config.window.budget_bytes = config.budget().map_err(RuntimeError::Config)?.shard_bytes;
        if let Broker::Kafka { .. } = config.broker {
            let provision = Provision { replication: config.replication, ..Provision::default() };
            for state in kafka::ensure_topics(&config.connection, &config.topics, &provision)? {
                tracing::info!(?state, "topic");
            }
        }
        let state = Arc::new(State::new(config.domain(), config.engine.mode, config.shards));
        let (news, news_out) = mpsc::channel(NEWS);
        let (asks, asks_out) = std::sync::mpsc::sync_channel(ASKS);
        let signals = Arc::new(Signals::default());
        let config = Arc::new(config);
        let election = election::start(config.clone(), state.clone(), asks_out, news.clone())?;
        let door = Arc::default();
        let remote = Remote { state: state.clone(), signals: signals.clone(), door, started: Instant::now() };
        let wanted = Arc::new(Mutex::new(config.engine.clone()));
        let common = Common { config, wanted, suspects: Arc::default(), state, signals, news };
        let (done, ended) = oneshot::channel();
        let seed = OverseerSeed { common, news: news_out, asks, door: remote.door.clone(), done };
        let of = remote.clone();
        let run = move || run(seed, ended, election, &of);
        let thread = std::thread::Builder::new().name("overseer".into()).spawn(run)?;
        Ok(Handle { remote, thread: Some(thread) })
    }
}

fn check(config: &PipelineConfig) -> Result<(), RuntimeError> {
    let wrong = |what: &str| Err(RuntimeError::Config(what.to_owned()));
    if config.topics.traces.is_empty() {
        return wrong("there is no telemetry topic: set `telemetry.topics`");
    }
    if config.shards == 0 || config.shards > 256 {
        return wrong("`shards` must be between 1 and 256");
    }
    let width_ns = config.window.width_ns;
    if width_ns == 0 || !width_ns.is_multiple_of(window::SLICES) || width_ns != config.watermark.width_ns {
        return wrong(
            "the window's width must be a multiple of 64 ns, above zero, and the same for shards and watermarks",
        );
    }
    if config.tick_ms == 0 {
        return wrong("`tick_ms` must be above zero");
    }
    Ok(())
}

fn run(
    seed: OverseerSeed,
    ended: oneshot::Receiver<Result<Ended, String>>,
    election: JoinHandle<()>,
    of: &Remote,
) -> Result<Summary, RuntimeError> {
    let ended = System::new().block_on(async move {
        let overseer = <Overseer as Actor>::create(|ctx| Overseer::begin(seed, ctx));
        let ended = ended.await;
        drop(overseer);
        ended
    });
    let _ = election.join();
    match ended {
        Ok(Ok(ended)) => Ok(Summary::of(&of.state, ended, of.started.elapsed().as_secs_f64())),
        Ok(Err(why)) => Err(RuntimeError::GaveUp(why)),
        Err(_) => Err(RuntimeError::GaveUp("the overseer died".to_owned())),
    }
}

impl Remote {
    /// What the pipeline lets others see.
    pub fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Hands an order to the engine, before all data, and waits until its effects are acknowledged. Blocks: not for use
    /// on an async runtime's thread.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub fn order(&self, order: Order) -> Result<(), OrderError> {
        let received = Instant::now();
        let (done, acknowledged) = oneshot::channel();
        self.hand_in(|doors| taken(doors.orders.try_send(Posted { order, received, done })))?;
        wait_for(acknowledged, ORDER_WITHIN)
    }

    /// Hands a validated configuration to the engine as an input like any other, and waits until it is journalled. What
    /// concerns the process (topics, shards, brokers) needs a restart. Blocks.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub fn configure(&self, engine: EngineConfig) -> Result<(), OrderError> {
        let (done, acknowledged) = oneshot::channel();
        let configured = Configured { config: Box::new(engine), done };
        self.hand_in(|doors| taken(doors.configuration.try_send(configured)))?;
        wait_for(acknowledged, ORDER_WITHIN)
    }

    fn hand_in(&self, send: impl FnOnce(&Doors) -> Result<(), OrderError>) -> Result<(), OrderError> {
        locked(&self.door).as_ref().map_or(Err(OrderError::NoEngine), send)
    }

    /// Asks for an orderly end within `deadline`: what the watermark has passed is decided and committed, the rest is
    /// read again at the next start. After the deadline it ends by force.
    pub fn drain(&self, deadline: Duration) {
        self.signals.request(Drain::AtWatermark, deadline);
    }

    /// Asks for an orderly end after closing every window, as when the input has ended.
    pub fn drain_everything(&self, deadline: Duration) {
        self.signals.request(Drain::Everything, deadline);
    }

    /// Ends it at once.
    pub fn force(&self) {
        self.signals.request(Drain::Forced, Duration::ZERO);
    }

    /// What it did so far.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.state, Ended::Running, self.started.elapsed().as_secs_f64())
    }
}

fn taken<M>(sent: Result<(), SendError<M>>) -> Result<(), OrderError> {
    sent.map_err(|error| match error {
        SendError::Full(_) => OrderError::Busy,
        SendError::Closed(_) => OrderError::NoEngine,
    })
}

fn wait_for(mut acknowledged: oneshot::Receiver<()>, within: Duration) -> Result<(), OrderError> {
    let deadline = Instant::now() + within;
    loop {
        match acknowledged.try_recv() {
            Ok(()) => return Ok(()),
            Err(oneshot::error::TryRecvError::Closed) => return Err(OrderError::Unknown),
            Err(oneshot::error::TryRecvError::Empty) if Instant::now() >= deadline => return Err(OrderError::Unknown),
            Err(oneshot::error::TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Remote").field("domain", &self.state.domain).finish_non_exhaustive()
    }
}

impl Handle {
    /// A handle for other threads: signals, console, terminal.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// See [`Remote::state`].
    pub fn state(&self) -> Arc<State> {
        self.remote.state()
    }

    /// See [`Remote::order`].
    ///
    /// # Errors
    /// See [`OrderError`].
    pub fn order(&self, order: Order) -> Result<(), OrderError> {
        self.remote.order(order)
    }

    /// See [`Remote::drain`].
    pub fn drain(&self, deadline: Duration) {
        self.remote.drain(deadline);
    }

    /// See [`Remote::force`].
    pub fn force(&self) {
        self.remote.force();
    }

    /// Has it ended?
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// [`RuntimeError::GaveUp`] if it did not end in order.
    pub fn wait(mut self) -> Result<Summary, RuntimeError> {
        let ended = self.thread.take().map(JoinHandle::join);
        let died = || RuntimeError::GaveUp("the overseer panicked".to_owned());
        ended.and_then(Result::ok).unwrap_or_else(|| Err(died()))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.remote.force();
        }
    }
}
