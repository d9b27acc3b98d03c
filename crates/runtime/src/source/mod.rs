//! The source: one thread that polls, decodes and splits. It never waits for the shards: while they are full it pauses its
//! partitions and goes on polling, so the brokers' patience never runs out.

mod dead_letters;
mod intake;
mod outbox;
mod sampling;
mod silence;
#[cfg(test)]
mod tests;
pub(crate) mod witness;

use crate::batch::Batch;
use crate::capacity::{DRAIN_FOR, NOTES_HELD, POLL_WAIT, RECORDS_PER_POLL, SPANS_PER_BATCH};
use crate::clock::now_ms;
use crate::config::{Ending, PipelineConfig};
use crate::news::Post;
use crate::signals::{Drain, Signals};
use crate::state::{PartitionStatus, State};
use crate::suspects::{Origin, Suspects};
use dead_letters::DeadLetters;
use engine::Input;
use intake::{Intake, as_input};
use kafka::{PartitionState, Positions, SourceConfig, SourceEvent, Start};
use outbox::{Flow, Outbox};
use silence::{Change, Silence};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use window::PartitionId;

/// So often, a millisecond apart, full shards are looked at again before reading pauses.
const PATIENT_TRIES: u32 = 100;
/// How often partitions are looked at for lag and silence.
const LOOK_EVERY_MS: u64 = 100;
/// How often it is looked whether telemetry comes faster than it can be read.
const WEIGH_EVERY_MS: u64 = 1000;

/// Closing everything moves the watermark this many windows past the newest span; a silence is longer than that before it
/// is done, so what comes after it is not late.
const SETTLE_WINDOWS: u64 = 3;

/// What a source needs to start.
pub(crate) struct SourceSeed {
    pub(crate) config: Arc<PipelineConfig>,
    pub(crate) state: Arc<State>,
    pub(crate) suspects: Arc<Suspects>,
    pub(crate) signals: Arc<Signals>,
    /// The generation is over.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) positions: Positions,
    pub(crate) shards: Vec<mpsc::Sender<Batch>>,
    pub(crate) notes: mpsc::Sender<Input>,
    pub(crate) post: Post,
}

/// Runs a source until it is stopped, drained, or cannot go on. Blocks.
pub(crate) fn run(mut seed: SourceSeed) {
    match SourceThread::connect(&mut seed).and_then(SourceThread::work) {
        Ok(()) => seed.post.finish(),
        Err(why) => seed.post.fail(why),
    }
}

struct SourceThread {
    config: Arc<PipelineConfig>,
    state: Arc<State>,
    suspects: Arc<Suspects>,
    signals: Arc<Signals>,
    stop: Arc<AtomicBool>,
    source: kafka::Source,
    intake: Intake,
    outbox: Outbox,
    notes: mpsc::Sender<Input>,
    notes_held: VecDeque<Input>,
    silence: Silence,
    assigned: Vec<PartitionId>,
    looked_ms: u64,
    weighed_ms: u64,
    spans_per_record: usize,
    read_again: bool,
}

fn partition_id(state: &PartitionState) -> PartitionId {
    PartitionId { topic: state.topic_index, partition: state.partition.partition }
}

/// Does no record before `until` of a partition come any more? So it is with partitions that are not read, too.
fn is_past(partitions: &[PartitionState], id: PartitionId, until: i64) -> bool {
    let own = partitions.iter().find(|state| partition_id(state) == id);
    own.is_none_or(|state| state.at_end || state.next_offset >= until)
}

impl SourceThread {
    fn connect(seed: &mut SourceSeed) -> Result<SourceThread, String> {
        let (config, state) = (seed.config.clone(), seed.state.clone());
        let otherwise = config.beginning.edge();
        let kafka = SourceConfig {
            connection: config.connection.clone(),
            topics: config.topics.traces.clone(),
            group: config.positions_group(),
            start: Start::At { positions: seed.positions.clone(), otherwise },
            prefetch_bytes_max: config.budget().map_err(|why| why.to_string())?.prefetch_bytes,
            ..SourceConfig::default()
        };
        let text = |error: kafka::Error| error.to_string();
        let letters =
            DeadLetters::connect(&config.connection, &config.topics.dead_letter, state.clone()).map_err(text)?;
        let source = kafka::Source::connect(&kafka).map_err(text)?;
        let intake = Intake::new(&config, &seed.positions, letters, (state.clone(), seed.suspects.clone()));
        let silence = Silence::new(config.idle_after_ms, now_ms());
        Ok(SourceThread {
            config,
            state,
            suspects: seed.suspects.clone(),
            signals: seed.signals.clone(),
            stop: seed.stop.clone(),
            source,
            intake,
            outbox: Outbox::new(std::mem::take(&mut seed.shards)),
            notes: seed.notes.clone(),
            notes_held: VecDeque::new(),
            silence,
            assigned: Vec::new(),
            looked_ms: 0,
            weighed_ms: 0,
            spans_per_record: 1,
            read_again: false,
        })
    }

    fn work(mut self) -> Result<(), String> {
        let ended = self.turns();
        self.suspects.source_ended(self.intake.next());
        ended?.map_or(Ok(()), |drain| self.drain(drain))
    }

    /// Until it is stopped, or asked to drain.
    fn turns(&mut self) -> Result<Option<Drain>, String> {
        // Which partitions there are, before any of their records: a window may not close by the first of them alone.
        let polled = self.source.poll(Duration::ZERO, 0, &mut |_| {}).map_err(|error| error.to_string())?;
        polled.events.into_iter().for_each(|event| self.happened(event));
        while !self.stop.load(Ordering::Relaxed) {
            self.state.progress.source_came_round();
            match self.signals.wanted() {
                Drain::None => self.turn()?,
                Drain::Forced => return Ok(None),
                drain => return Ok(Some(drain)),
            }
        }
        Ok(None)
    }

    /// One turn of the loop: hand over, read, hand over.
    fn turn(&mut self) -> Result<(), String> {
        let wait = match self.hand_over()? {
            Flow::Clear => POLL_WAIT,
            _ => Duration::from_millis(2),
        };
        let (careful, may_close) = (self.suspects.careful(), self.read_again());
        let (intake, silence, mut most, mut origin) = (&mut self.intake, &mut self.silence, 0, None);
        let (mut awake, mut polled_at) = (Vec::new(), None);
        // A poll may bring far more spans than the last one said: what is fetched ahead bounds it.
        let records_max = (2 * SPANS_PER_BATCH / self.spans_per_record).clamp(1, RECORDS_PER_POLL);
        let records_max = if careful { 1 } else { records_max };
        let now = now_ms();
        let polled = self.source.poll_while(wait, records_max, &mut |record| {
            // Before it is decoded: the one that closes a window is the poll's last.
            polled_at = Some(Instant::now());
            let partition = PartitionId { topic: record.topic_index, partition: record.partition };
            awake.extend(silence.heard(partition, now));
            origin = Some((partition, record.offset));
            most = intake.take(&record, now).max(most);
            // Spans that come after the record that closes a window go to the shards after its mark.
            if may_close && intake.closes() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let polled = polled.map_err(|error| error.to_string())?;
        if polled.records > 0 {
            self.spans_per_record = most.max(1);
        }
        if careful {
            self.offer_alone(origin);
            self.suspects
                .passed(|of, unread| origin.is_some_and(|(partition, at)| of == partition && at + 1 >= unread));
        }
        polled.events.into_iter().for_each(|event| self.happened(event));
        self.note_changes(awake);
        self.look();
        let polled_at = polled_at.unwrap_or_else(Instant::now);
        let (mark, low_ns) = match (self.read_again(), self.silent_for_long()) {
            (false, _) => (None, 0),
            (true, true) => (self.intake.last_mark(polled_at), self.intake.low_ns()),
            (true, false) => (self.intake.mark(polled_at), self.intake.low_ns()),
        };
        if mark.is_some() || self.intake.splitter.spans() > 0 {
            self.outbox.offer(self.intake.splitter.take(mark.as_ref(), low_ns));
        }
        self.hand_over().map(|_| ())
    }

    /// Hands the spans of one record over, before any mark: whatever a shard dies of then is that record.
    fn offer_alone(&mut self, origin: Option<Origin>) {
        let batches = self.intake.splitter.take(None, 0).into_iter();
        self.outbox.offer(batches.map(|(shard, batch)| (shard, Batch { origin, ..batch })).collect());
    }

    /// Has everything been read again that had been read before the restart? What the log no longer has counts as read.
    fn read_again(&mut self) -> bool {
        if !self.read_again {
            let (behind, partitions) = (self.intake.behind(), self.source.partitions());
            let done = |(id, until): &(PartitionId, i64)| is_past(&partitions, *id, *until);
            self.read_again = behind.is_empty() || (!partitions.is_empty() && behind.iter().all(done));
        }
        self.read_again
    }

    /// Has everything been read, and did nothing come for so long that the open windows may close too? Without this the
    /// last seconds of a fleet that stops sending would stay unseen.
    fn silent_for_long(&self) -> bool {
        let settle_ms = SETTLE_WINDOWS * self.config.window.width_ns / 1_000_000;
        let all_idle = !self.assigned.is_empty() && self.assigned.iter().all(|id| self.silence.is_idle(*id));
        all_idle && self.silence.quiet_ms(now_ms()) >= self.config.idle_after_ms + settle_ms
    }

    /// Hands batches and notes over, and pauses or resumes reading accordingly.
    fn hand_over(&mut self) -> Result<Flow, String> {
        while let Some(note) = self.notes_held.pop_front() {
            match self.notes.try_send(note) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(note)) => {
                    self.notes_held.push_front(note);
                    break;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err("the engine is gone".to_owned()),
            }
        }
        let mut flow = self.outbox.flush();
        // A batch is soon taken; a pause throws away all that was fetched ahead.
        for _ in 0..PATIENT_TRIES {
            if !matches!(flow, Flow::Full) || self.source.is_paused() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
            flow = self.outbox.flush();
        }
        match flow {
            Flow::Gone => return Err("a shard is gone".to_owned()),
            Flow::Full if !self.source.is_paused() => {
                self.source.pause();
                self.state.counters.pauses.add(1);
            }
            Flow::Clear if self.source.is_paused() => self.source.resume(),
            Flow::Full | Flow::Clear => {}
        }
        Ok(flow)
    }

    fn note(&mut self, note: Input) {
        if self.notes_held.len() >= NOTES_HELD {
            self.notes_held.pop_front();
        }
        self.notes_held.push_back(note);
    }

    fn note_changes(&mut self, changes: Vec<Change>) {
        for change in changes {
            let note = match change {
                Change::Idle(partition) => {
                    self.intake.watermarks.idle(partition);
                    Input::Idle { partition: as_input(partition) }
                }
                Change::Awake(partition) => {
                    self.intake.watermarks.active(partition);
                    Input::Awake { partition: as_input(partition) }
                }
            };
            self.note(note);
        }
    }

    fn happened(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Assigned { partition, topic_index, offset, .. } => {
                tracing::info!(%partition, ?offset, "reading");
                let id = PartitionId { topic: topic_index, partition: partition.partition };
                self.intake.watermarks.assigned(id);
                self.assigned.push(id);
                self.assigned.sort_unstable();
                self.assigned.dedup();
                let partitions = self.assigned.iter().map(|id| as_input(*id)).collect();
                self.note(Input::Assigned { partitions });
            }
            SourceEvent::Gap { partition, from, to } => {
                tracing::warn!(%partition, from, to, "records were gone before they were read");
                self.state.counters.gap_records.add(u64::try_from(to - from).unwrap_or(0));
            }
            SourceEvent::TopicMissing { topic } => tracing::warn!(topic, "a telemetry topic does not exist (yet)"),
            SourceEvent::Reconnected { partition, silent_ms } => {
                tracing::warn!(%partition, silent_ms, "a partition lagged and gave nothing: connected anew");
                self.state.counters.reconnects.add(1);
            }
            SourceEvent::Unreachable { reason } => {
                tracing::warn!(reason, "no broker answers");
                self.state.progress.unreachable.set(Some(reason));
            }
            SourceEvent::Reachable => {
                tracing::info!("brokers answer again");
                self.state.progress.unreachable.set(None);
            }
        }
    }

    /// Lag, silence, grace, and whether the input has ended.
    fn look(&mut self) {
        let now = now_ms();
        if now.saturating_sub(self.looked_ms) < LOOK_EVERY_MS {
            return;
        }
        self.looked_ms = now;
        let partitions = self.source.partitions();
        let ends: Vec<(PartitionId, bool)> =
            partitions.iter().map(|state| (partition_id(state), state.at_end)).collect();
        if self.suspects.careful() && !partitions.is_empty() {
            self.suspects.passed(|partition, unread| is_past(&partitions, partition, unread));
        }
        let changes = self.silence.look(&ends, now);
        self.note_changes(changes);
        self.intake.grace_changes().into_iter().for_each(|change| self.note(change));
        if now.saturating_sub(self.weighed_ms) >= WEIGH_EVERY_MS {
            self.weighed_ms = now;
            if let Some(kept_permille) = self.intake.weigh() {
                tracing::warn!(
                    kept_permille,
                    "the share of traces that are read changes: telemetry comes faster than it can be read"
                );
                self.note(Input::Sampling { kept_permille });
            }
        }
        let status = |state: &PartitionState| PartitionStatus {
            topic: state.partition.topic.clone(),
            partition: state.partition.partition,
            lag: state.lag,
            grace_ms: self.intake.watermarks.grace_ms(partition_id(state)),
            idle: self.silence.is_idle(partition_id(state)),
        };
        self.state.partitions.set(partitions.iter().map(status).collect());
        if let Ending::Idle(after) = self.config.ending {
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            let at_end = !partitions.is_empty() && self.source.at_end() && !self.source.is_paused();
            if at_end && self.silence.quiet_ms(now) >= after_ms {
                tracing::info!(after_ms, "the input has ended");
                self.signals.request(Drain::Everything, DRAIN_FOR);
            }
        }
    }

    /// Hands over everything that was read, with a last mark, and ends. The shards see the end of their streams.
    fn drain(mut self, drain: Drain) -> Result<(), String> {
        let mark = match drain {
            _ if !self.read_again() => None,
            Drain::Everything => self.intake.last_mark(Instant::now()),
            _ => self.intake.mark(Instant::now()),
        };
        self.source.pause();
        self.outbox.offer(self.intake.splitter.take(mark.as_ref(), 0));
        while !self.stop.load(Ordering::Relaxed) && !self.signals.overdue() {
            self.state.progress.source_came_round();
            match self.outbox.flush() {
                Flow::Clear => break,
                Flow::Gone => return Err("a shard is gone".to_owned()),
                // Nothing comes while paused; polling keeps the client alive and paces this loop.
                Flow::Full => {
                    let ignored = &mut |_: kafka::RecordRef<'_>| {};
                    self.source.poll(Duration::from_millis(5), 1, ignored).map_err(|error| error.to_string())?;
                }
            }
        }
        // The shards see the end of their streams now, not after the client has been closed.
        drop(self.outbox);
        drop(self.notes);
        self.intake.settle();
        Ok(())
    }
}
