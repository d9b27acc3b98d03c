//! The thread that stands for election and makes claims. Everything here may block on the broker; nothing here decides
//! anything about the fleet.

use crate::config::{Broker, PipelineConfig};
use crate::journal::whole_inputs;
use crate::memo::Memo;
use crate::news::News;
use control::AuditChain;
use kafka::{
    ClaimEvent, Claims, ClaimsConfig, Delivery, Edge, Position, Positions, Sink, SinkConfig, Tail, TailConfig,
    TailRecord, TopicPartition,
};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

const POLL: Duration = Duration::from_millis(100);
const READ_WITHIN: Duration = Duration::from_secs(10);
/// A lost ownership is given away when the generation is torn down, or after this (the sink is fenced anyway).
const GIVE_AWAY_AFTER: Duration = Duration::from_secs(5);

/// What the overseer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A claim, as soon as this process is elected. `journal_at` is the last journal record that is known to be there.
    Claim { journal_at: Option<(i32, i64)> },
    /// Nothing acts any more under the claim that was given.
    Stopped,
    /// Leave the election and end.
    Leave,
}

/// A claim and everything a generation starts from.
pub(crate) struct Grant {
    pub(crate) sink: Sink,
    pub(crate) epoch: u64,
    pub(crate) positions: Positions,
    pub(crate) chain: AuditChain,
    pub(crate) audit_at: Option<(i32, i64)>,
    pub(crate) memo: Option<Memo>,
    /// Inputs that the journal holds beyond the last one that was known to be there.
    pub(crate) further: Vec<Vec<u8>>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Grant").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Starts the thread.
pub(crate) fn start(
    config: Arc<PipelineConfig>,
    asks: Receiver<Ask>,
    news: mpsc::Sender<News>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("election".into()).spawn(move || match &config.broker {
        Broker::Kafka { owner, instance } => elected(&config, claims_config(&config, owner, instance), &asks, &news),
        Broker::Embedded => solo(&config, &claims_config(&config, "embedded", &None), &asks, &news),
    })
}

/// Without an election: every claim is granted.
fn solo(config: &PipelineConfig, claims: &ClaimsConfig, asks: &Receiver<Ask>, news: &mpsc::Sender<News>) {
    while let Ok(ask) = asks.recv() {
        match ask {
            Ask::Leave => return,
            Ask::Stopped => {}
            Ask::Claim { journal_at } => {
                let make = |sink: &mut Sink| Claims::solo(claims, sink).map(|claim| claim.epoch);
                tell(news, grant(config, journal_at, Delivery::Plain, make));
            }
        }
    }
}

fn elected(config: &PipelineConfig, settings: ClaimsConfig, asks: &Receiver<Ask>, news: &mpsc::Sender<News>) {
    let mut wanted = None;
    let mut pause = Duration::from_millis(200);
    loop {
        let why = match Claims::join(&settings) {
            Ok(claims) => match stand(config, claims, &mut wanted, asks, news) {
                Ok(()) => return,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        tracing::warn!(why, "the election cannot be joined; trying again");
        let _ = news.blocking_send(News::Lost { reason: why });
        match asks.recv_timeout(pause) {
            Ok(Ask::Leave) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Ask::Claim { journal_at }) => wanted = Some(journal_at),
            Ok(Ask::Stopped) | Err(RecvTimeoutError::Timeout) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// One membership. `Ok` when it was left because the overseer asked for it.
fn stand(
    config: &PipelineConfig,
    mut claims: Claims,
    wanted: &mut Option<Option<(i32, i64)>>,
    asks: &Receiver<Ask>,
    news: &mpsc::Sender<News>,
) -> Result<(), kafka::Error> {
    loop {
        match claims.poll(POLL)? {
            Some(ClaimEvent::Standby) => drop(news.blocking_send(News::Standby)),
            Some(ClaimEvent::Lost { reason }) => {
                let _ = news.blocking_send(News::Lost { reason });
                if given_up(wanted, asks) {
                    return Ok(());
                }
            }
            Some(ClaimEvent::Elected) | None => {}
        }
        match asks.try_recv() {
            Ok(Ask::Claim { journal_at }) => *wanted = Some(journal_at),
            Ok(Ask::Stopped) | Err(TryRecvError::Empty) => {}
            Ok(Ask::Leave) | Err(TryRecvError::Disconnected) => {
                claims.leave();
                return Ok(());
            }
        }
        if claims.is_elected()
            && let Some(journal_at) = wanted.take()
        {
            let make = |sink: &mut Sink| claims.claim(sink).map(|claim| claim.epoch);
            tell(news, grant(config, journal_at, Delivery::Transactional, make));
        }
    }
}

/// Waits until the lost generation is gone. `true` if the overseer wants to leave altogether.
fn given_up(wanted: &mut Option<Option<(i32, i64)>>, asks: &Receiver<Ask>) -> bool {
    match asks.recv_timeout(GIVE_AWAY_AFTER) {
        Ok(Ask::Leave) | Err(RecvTimeoutError::Disconnected) => true,
        Ok(Ask::Claim { journal_at }) => {
            *wanted = Some(journal_at);
            false
        }
        Ok(Ask::Stopped) | Err(RecvTimeoutError::Timeout) => false,
    }
}

fn tell(news: &mpsc::Sender<News>, granted: Result<Grant, String>) {
    let news_of = match granted {
        Ok(grant) => News::Granted(Box::new(grant)),
        Err(why) => News::NotGranted { why },
    };
    let _ = news.blocking_send(news_of);
}

/// Connects the sink (that fences the owner before), claims, and reads what a generation starts from, in this order: what
/// is read then cannot change any more.
fn grant(
    config: &PipelineConfig,
    journal_at: Option<(i32, i64)>,
    delivery: Delivery,
    claim: impl FnOnce(&mut Sink) -> Result<u64, kafka::SinkError>,
) -> Result<Grant, String> {
    let settings = SinkConfig {
        connection: config.connection.clone(),
        transactional_id: format!("{}-{}", config.group, config.domain()),
        group: config.positions_group(),
        delivery,
        ..SinkConfig::default()
    };
    let mut sink = Sink::connect(&settings).map_err(|error| error.to_string())?;
    let epoch = claim(&mut sink).map_err(|error| error.to_string())?;
    let positions = sink.positions(&config.topics.traces).map_err(|error| error.to_string())?;
    let memo = read_memo(config)?;
    let audit_at = memo.as_ref().and_then(|memo| memo.audit_at);
    let chain = read_chain(config, audit_at)?;
    let further = read_journal(config, journal_at)?;
    Ok(Grant { sink, epoch, positions, chain, audit_at, memo, further })
}

fn read_memo(config: &PipelineConfig) -> Result<Option<Memo>, String> {
    let key = Memo::key(config.domain());
    let records = read(config, &config.topics.snapshots, None)?;
    let last = records.into_iter().rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
    Ok(last.and_then(|record| Memo::read(&record.value?)))
}

/// The chain after its last link; a new one if there is none (any more), which its first link says by itself.
fn read_chain(config: &PipelineConfig, audit_at: Option<(i32, i64)>) -> Result<AuditChain, String> {
    let new = || AuditChain::new(config.domain());
    let Some(at) = audit_at else { return Ok(new()) };
    let links = read(config, &config.topics.audit, Some(at))?;
    let own = |record: &TailRecord| record.key.as_deref() == Some(config.domain().as_bytes());
    let last = links.into_iter().rfind(own).map(|record| AuditChain::after(&record.into_record()));
    Ok(last.and_then(Result::ok).unwrap_or_else(new))
}

/// Inputs of the journal after the record at `journal_at`, put together from their pieces.
fn read_journal(config: &PipelineConfig, journal_at: Option<(i32, i64)>) -> Result<Vec<Vec<u8>>, String> {
    let Some((partition, offset)) = journal_at else { return Ok(Vec::new()) };
    let records = read(config, &config.topics.journal, Some((partition, offset + 1)))?;
    let inputs = whole_inputs(records, config.domain());
    Ok(inputs.into_iter().map(|(_, _, input)| input).collect())
}

/// All committed records of a topic: of the one partition from `at` on, or of all from their beginning.
fn read(config: &PipelineConfig, topic: &str, at: Option<(i32, i64)>) -> Result<Vec<TailRecord>, String> {
    let from = if at.is_some() { Edge::Latest } else { Edge::Earliest };
    let mut settings = TailConfig::new(config.connection.clone(), topic, from);
    settings.at = at
        .map(|(partition, offset)| (TopicPartition::new(topic, partition), Position::at(offset)))
        .into_iter()
        .collect();
    let mut tail = Tail::connect(&settings).map_err(|error| error.to_string())?;
    tail.read_to_end(READ_WITHIN).map_err(|error| error.to_string())
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
