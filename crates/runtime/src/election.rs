//! The thread that stands for election and makes claims. Everything here may block on the broker; nothing here decides
//! anything about the fleet.

use crate::config::{Broker, PipelineConfig};
use crate::follower::{Follower, read_shelf, tail};
use crate::known::Known;
use crate::memo::Memo;
use crate::news::News;
use crate::snapshot::Packer;
use crate::state::{Recovered, State};
use control::AuditChain;
use kafka::{ClaimEvent, Claims, ClaimsConfig, Delivery, Positions, Sink, SinkConfig, TailRecord};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const POLL: Duration = Duration::from_millis(100);
const READ_WITHIN: Duration = Duration::from_secs(10);
/// A lost ownership is given away when the generation is torn down, or after this (the sink is fenced anyway).
const GIVE_AWAY_AFTER: Duration = Duration::from_secs(5);

/// A standby gives so much of each turn to following the journal.
const FOLLOW_FOR: Duration = Duration::from_millis(100);
/// A standby that cannot follow tries again after this.
const FOLLOW_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What the overseer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A claim, as soon as this process is elected.
    Claim,
    /// Nothing acts any more under the claim that was given.
    Stopped,
    /// Leave the election and end.
    Leave,
}

/// A claim and everything a generation starts from.
pub(crate) struct Grant {
    pub(crate) sink: Sink,
    /// For snapshots: a transactional id of its own, so that they never wait for steps nor steps for them.
    pub(crate) snapshots: Sink,
    pub(crate) packer: Packer,
    pub(crate) epoch: u64,
    pub(crate) positions: Positions,
    pub(crate) chain: AuditChain,
    pub(crate) audit_at: Option<(i32, i64)>,
    pub(crate) memo: Option<Memo>,
    /// The engine as the log has it.
    pub(crate) known: Known,
}

impl fmt::Debug for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Grant").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Starts the thread.
pub(crate) fn start(
    config: Arc<PipelineConfig>,
    state: Arc<State>,
    asks: Receiver<Ask>,
    news: mpsc::Sender<News>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("election".into()).spawn(move || {
        let candidate = Candidate { config: &config, state: &state, asks: &asks, news: &news };
        match &config.broker {
            Broker::Kafka { owner, instance } => candidate.elected(&claims_config(&config, owner, instance)),
            Broker::Embedded => candidate.solo(&claims_config(&config, "embedded", &None)),
        }
    })
}

struct Candidate<'a> {
    config: &'a PipelineConfig,
    state: &'a State,
    asks: &'a Receiver<Ask>,
    news: &'a mpsc::Sender<News>,
}

impl Candidate<'_> {
    /// Without an election: every claim is granted.
    fn solo(&self, claims: &ClaimsConfig) {
        while let Ok(ask) = self.asks.recv() {
            match ask {
                Ask::Leave => return,
                Ask::Stopped => {}
                Ask::Claim => {
                    let make = |sink: &mut Sink| Claims::solo(claims, sink).map(|claim| claim.epoch);
                    self.tell(self.grant(None, Delivery::Plain, make));
                }
            }
        }
    }

    fn elected(&self, settings: &ClaimsConfig) {
        let mut wanted = false;
        let mut pause = Duration::from_millis(200);
        loop {
            let why = match Claims::join(settings) {
                Ok(claims) => match self.stand(claims, &mut wanted) {
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            tracing::warn!(why, "the election cannot be joined; trying again");
            let _ = self.news.blocking_send(News::Lost { reason: why });
            match self.asks.recv_timeout(pause) {
                Ok(Ask::Leave) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Ask::Claim) => wanted = true,
                Ok(Ask::Stopped) | Err(RecvTimeoutError::Timeout) => {}
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// One membership. `Ok` when it was left because the overseer asked for it.
    fn stand(&self, mut claims: Claims, wanted: &mut bool) -> Result<(), kafka::Error> {
        let mut warm = Warm::default();
        loop {
            match claims.poll(POLL)? {
                Some(ClaimEvent::Standby) => drop(self.news.blocking_send(News::Standby)),
                Some(ClaimEvent::Lost { reason }) => {
                    let _ = self.news.blocking_send(News::Lost { reason });
                    if self.given_up(wanted) {
                        return Ok(());
                    }
                }
                Some(ClaimEvent::Elected) | None => {}
            }
            match self.asks.try_recv() {
                Ok(Ask::Claim) => *wanted = true,
                Ok(Ask::Stopped) | Err(TryRecvError::Empty) => {}
                Ok(Ask::Leave) | Err(TryRecvError::Disconnected) => {
                    claims.leave();
                    return Ok(());
                }
            }
            if !claims.is_elected() {
                warm.follow(self.config, self.state);
            } else if std::mem::take(wanted) {
                let make = |sink: &mut Sink| claims.claim(sink).map(|claim| claim.epoch);
                self.tell(self.grant(warm.take(self.state), Delivery::Transactional, make));
            }
        }
    }

    /// Waits until the lost generation is gone. `true` if the overseer wants to leave altogether.
    fn given_up(&self, wanted: &mut bool) -> bool {
        match self.asks.recv_timeout(GIVE_AWAY_AFTER) {
            Ok(Ask::Leave) | Err(RecvTimeoutError::Disconnected) => true,
            Ok(Ask::Claim) => {
                *wanted = true;
                false
            }
            Ok(Ask::Stopped) | Err(RecvTimeoutError::Timeout) => false,
        }
    }

    fn tell(&self, granted: Result<Grant, String>) {
        let news_of = match granted {
            Ok(grant) => News::Granted(Box::new(grant)),
            Err(why) => News::NotGranted { why },
        };
        let _ = self.news.blocking_send(news_of);
    }

    /// Connects the sinks (that fences the owner before), claims, and reads what a generation starts from, in this order:
    /// what is read then cannot change any more.
    fn grant(
        &self,
        follower: Option<Follower>,
        delivery: Delivery,
        claim: impl FnOnce(&mut Sink) -> Result<u64, kafka::SinkError>,
    ) -> Result<Grant, String> {
        let (began, config) = (Instant::now(), self.config);
        let steps = format!("{}-{}", config.group, config.domain());
        let connect = |transactional_id: String| {
            let (connection, group) = (config.connection.clone(), config.positions_group());
            let settings = SinkConfig { connection, transactional_id, group, delivery, ..SinkConfig::default() };
            Sink::connect(&settings).map_err(|error| error.to_string())
        };
        let mut sink = connect(steps.clone())?;
        let epoch = claim(&mut sink).map_err(|error| error.to_string())?;
        let snapshots = connect(format!("{steps}-snapshots"))?;
        let positions = sink.positions(&config.topics.traces).map_err(|error| error.to_string())?;
        let shelf = read_shelf(config)?;
        let memo = shelf.memo().cloned();
        let audit_at = memo.as_ref().and_then(|memo| memo.audit_at);
        let chain = read_chain(config, audit_at)?;
        let warm = follower.is_some();
        let follower = follower.map_or_else(|| Follower::start(config, &shelf), Ok)?;
        let known = follower.finish(config)?;
        let (took, replayed) = (began.elapsed(), known.replayed);
        tracing::info!(epoch, warm, replayed, took_ms = took.as_millis(), "the engine is as its log has it");
        self.state.recovered.set(Some(Recovered { warm, replayed, took }));
        let packer = Packer::new(config.domain(), &config.topics.snapshots, epoch, &shelf);
        Ok(Grant { sink, snapshots, packer, epoch, positions, chain, audit_at, memo, known })
    }
}

/// A standby's engine.
#[derive(Default)]
struct Warm {
    follower: Option<Follower>,
    again_at: Option<Instant>,
}

impl Warm {
    /// Follows the owner for a moment. What goes wrong is told and tried again later: a standby that is not warm takes over
    /// too, only more slowly.
    fn follow(&mut self, config: &PipelineConfig, state: &State) {
        if self.again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let followed = match &mut self.follower {
            Some(follower) => follower.follow(FOLLOW_FOR),
            None => read_shelf(config)
                .and_then(|shelf| Follower::start(config, &shelf))
                .map(|follower| self.follower = Some(follower)),
        };
        self.again_at = followed.as_ref().err().map(|_| Instant::now() + FOLLOW_AGAIN_AFTER);
        if let Err(why) = followed {
            tracing::warn!(why, "the standby cannot follow; starting again from the newest snapshot");
            self.follower = None;
        }
        state.following.set(self.follower.as_ref().map(Follower::window_end_ms));
    }

    fn take(&mut self, state: &State) -> Option<Follower> {
        state.following.set(None);
        self.follower.take()
    }
}

/// The chain after its last link; a new one if there is none (any more), which its first link says by itself.
fn read_chain(config: &PipelineConfig, audit_at: Option<(i32, i64)>) -> Result<AuditChain, String> {
    let new = || AuditChain::new(config.domain());
    let Some(at) = audit_at else { return Ok(new()) };
    let mut links = tail(config, &config.topics.audit, Some(at))?;
    let links = links.read_to_end(READ_WITHIN).map_err(|error| error.to_string())?;
    let own = |record: &TailRecord| record.key.as_deref() == Some(config.domain().as_bytes());
    let last = links.into_iter().rfind(own).map(|record| AuditChain::after(&record.into_record()));
    Ok(last.and_then(Result::ok).unwrap_or_else(new))
}

fn claims_config(config: &PipelineConfig, owner: &str, instance: &Option<String>) -> ClaimsConfig {
    ClaimsConfig {
        connection: config.connection.clone(),
        topic: config.topics.claims.clone(),
        domain: config.domain().to_owned(),
        group: config.group.clone(),
        owner: owner.to_owned(),
        instance: instance.clone(),
        ..ClaimsConfig::default()
    }
}
