//! Follows a domain's snapshots and journal: the standby's warm engine, and the way in which every owner comes to its
//! state.

use crate::config::PipelineConfig;
use crate::journal::Assembly;
use crate::known::Known;
use crate::snapshot::Shelf;
use kafka::{Edge, Position, Tail, TailConfig, TailRecord, TopicPartition};
use std::time::{Duration, Instant};

/// A topic must be readable to its end within this time.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// Without a usable snapshot so many journal entries are replayed at most; where there are more, the engine starts anew.
const REPLAYED_WITHOUT_SNAPSHOT_MAX: u64 = 20_000;

/// An engine that follows the journal.
pub(crate) struct Follower {
    known: Known,
    journal: Tail,
    assembly: Assembly,
    has_snapshot: bool,
}

impl Follower {
    /// Restores the newest usable snapshot on the shelf and reads the journal from there.
    pub(crate) fn start(config: &PipelineConfig, shelf: &Shelf) -> Result<Follower, String> {
        let (newest, flaws) = shelf.newest();
        for flaw in &flaws {
            tracing::error!(%flaw, "a snapshot cannot be used");
        }
        let has_snapshot = newest.is_some();
        let known = match newest {
            Some((manifest, engine)) => Known::from_snapshot(&config.engine, &manifest, engine),
            None => Known::nothing(&config.engine),
        };
        Follower::from(config, known, has_snapshot)
    }

    fn from(config: &PipelineConfig, known: Known, has_snapshot: bool) -> Result<Follower, String> {
        let after = known.journal_at.map(|(partition, offset)| (partition, offset + 1));
        let journal = tail(config, &config.topics.journal, after)?;
        Ok(Follower { known, journal, assembly: Assembly::new(config.domain()), has_snapshot })
    }

    /// Takes in what has come, for about as long as `budget`. `Err` when the state cannot go on from here.
    pub(crate) fn follow(&mut self, budget: Duration) -> Result<(), String> {
        let until = Instant::now() + budget;
        while Instant::now() < until {
            match self.journal.next(Duration::from_millis(1)).map_err(|error| error.to_string())? {
                Some(record) => self.take(record)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The end of the last window that is in its state, Unix milliseconds.
    pub(crate) fn window_end_ms(&self) -> u64 {
        self.known.engine.end_ns() / 1_000_000
    }

    /// Takes in all that the journal holds now, and gives the state. What a former owner wrote must be settled before. A
    /// state that cannot be made again is told, and the engine starts anew: it knows nothing then, and acts on nothing
    /// until it has learned.
    pub(crate) fn finish(self, config: &PipelineConfig) -> Result<Known, String> {
        let known = self.known.clone();
        // A tail that has been at the end before cannot say whether it is there now: a new one can.
        let mut last = Follower::from(config, known, self.has_snapshot)?;
        let records = last.journal.read_to_end(READ_WITHIN).map_err(|error| error.to_string())?;
        for record in records {
            if let Err(why) = last.take(record) {
                tracing::error!(why, "the engine starts without what it had learned");
                return Ok(Known::nothing(&config.engine));
            }
        }
        Ok(last.known)
    }

    fn take(&mut self, record: TailRecord) -> Result<(), String> {
        let Some(whole) = self.assembly.push(record) else { return Ok(()) };
        let whole = whole.map_err(|error| error.to_string())?;
        if !self.has_snapshot && self.known.replayed >= REPLAYED_WITHOUT_SNAPSHOT_MAX && whole.header.index > 0 {
            return Err("there is no usable snapshot, and the journal is too long to be replayed whole".to_owned());
        }
        self.known.take(&whole)
    }
}

/// What lies on the snapshots topic now.
pub(crate) fn read_shelf(config: &PipelineConfig) -> Result<Shelf, String> {
    let mut shelf = Shelf::new(config.domain());
    let mut topic = tail(config, &config.topics.snapshots, None)?;
    let until = Instant::now() + READ_WITHIN;
    while !topic.caught_up() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("the topic `{}` cannot be read to its end in time", config.topics.snapshots));
        }
        if let Some(record) = topic.next(left).map_err(|error| error.to_string())? {
            shelf.put(record);
        }
    }
    Ok(shelf)
}

/// All committed records of a topic: of the one partition from `at` on, or of all from their beginning.
pub(crate) fn tail(config: &PipelineConfig, topic: &str, at: Option<(i32, i64)>) -> Result<Tail, String> {
    let from = if at.is_some() { Edge::Latest } else { Edge::Earliest };
    let mut settings = TailConfig::new(config.connection.clone(), topic, from);
    settings.at = at
        .map(|(partition, offset)| (TopicPartition::new(topic, partition), Position::at(offset)))
        .into_iter()
        .collect();
    Tail::connect(&settings).map_err(|error| error.to_string())
}
