//! A record's way in: decode on the poll thread, judge its time, note its place, split its spans by shard.

use crate::batch::{Mark, Splitter};
use crate::clock::now_ms;
use crate::config::PipelineConfig;
use crate::guarded::guarded;
use crate::ledger::{Frontier, Ledger, Seen};
use crate::source::dead_letters::DeadLetters;
use crate::source::sampling::Sampling;
use crate::state::State;
use crate::suspects::Suspects;
use engine::{Input, Partition};
use kafka::{Positions, RecordRef};
use model::{Span, SpanFlags};
use std::sync::Arc;
use std::time::Instant;
use telemetry::{Encoding, Facts, Poison, Reader, ReaderConfig};
use window::{Counting, PartitionId, Watermarks};

/// Everything between a polled record and the shards' batches.
pub(crate) struct Intake {
    encoding: Encoding,
    reader_config: ReaderConfig,
    reader: Reader,
    facts: Facts,
    pub(crate) watermarks: Watermarks,
    ledger: Ledger,
    pub(crate) splitter: Splitter,
    dead_letters: DeadLetters,
    sampling: Sampling,
    /// How old the oldest record was that was taken since the last weighing, milliseconds; `None` if none was.
    behind_ms: Option<u64>,
    width_ns: u64,
    closed_ns: u64,
    newest_ns: u64,
    state: Arc<State>,
    suspects: Arc<Suspects>,
}

impl Intake {
    pub(crate) fn new(
        config: &PipelineConfig,
        positions: &Positions,
        dead_letters: DeadLetters,
        (state, suspects): (Arc<State>, Arc<Suspects>),
    ) -> Intake {
        let window = &config.window;
        let ledger = Ledger::new(&config.topics.traces, window.width_ns, window.pair_ttl_ns, positions);
        Intake {
            encoding: config.encoding,
            reader_config: config.reader.clone(),
            reader: Reader::new(config.reader.clone()),
            facts: Facts::default(),
            watermarks: Watermarks::new(config.grace, config.watermark),
            closed_ns: ledger.closed_ns(),
            ledger,
            splitter: Splitter::new(config.shards),
            dead_letters,
            sampling: Sampling::new(config.sample_behind_ms()),
            behind_ms: None,
            width_ns: config.window.width_ns,
            newest_ns: 0,
            state,
            suspects,
        }
    }

    /// Takes one record. Gives the number of spans in it.
    pub(crate) fn take(&mut self, record: &RecordRef<'_>, polled_ms: u64) -> usize {
        let counters = &self.state.counters;
        counters.records.add(1);
        counters.bytes.add(record.payload.len() as u64);
        let partition = PartitionId { topic: record.topic_index, partition: record.partition };
        self.facts.clear();
        if let Some(at_ms) = record.timestamp_ms.and_then(|at_ms| u64::try_from(at_ms).ok()) {
            self.behind_ms = self.behind_ms.max(Some(polled_ms.saturating_sub(at_ms)));
        }
        let spans = match record.payload {
            // A tombstone says nothing.
            [] => 0,
            _ if self.suspects.has((partition, record.offset)) => self.put_aside(record, partition),
            _ => self.read(record),
        };
        let newest_ns = self.split(record, partition);
        self.ledger.read(partition, record.offset, newest_ns);
        spans
    }

    fn put_aside(&mut self, record: &RecordRef<'_>, partition: PartitionId) -> usize {
        if self.suspects.tell((partition, record.offset)) {
            self.state.counters.put_aside.add(1);
            self.dead_letters.write(record, 0, "it crashed a shard twice: put aside");
        }
        0
    }

    fn read(&mut self, record: &RecordRef<'_>) -> usize {
        let (reader, facts, encoding) = (&mut self.reader, &mut self.facts, self.encoding);
        let (at_byte, reason) = match guarded("the decoder", || decode(reader, encoding, record.payload, facts)) {
            Ok(Ok(spans)) => {
                self.state.counters.oddities.add(self.facts.oddities.iter().map(|(_, count)| count).sum());
                self.state.counters.spans_skipped.add(self.facts.oddities.spans_left_out());
                return spans;
            }
            Ok(Err(poison)) => (poison.at_byte, format!("{}: {poison}", poison.reason.as_str())),
            Err(panicked) => {
                // What it has announced is not known any more: a new reader announces every name again.
                self.state.counters.panics.add(1);
                self.reader = Reader::new(self.reader_config.clone());
                self.facts.clear();
                (0, panicked.to_string())
            }
        };
        self.state.counters.poison.add(1);
        self.dead_letters.write(record, at_byte, &reason);
        0
    }

    fn split(&mut self, record: &RecordRef<'_>, partition: PartitionId) -> u64 {
        let arrival_ms = record.timestamp_ms.and_then(|at_ms| u64::try_from(at_ms).ok());
        let is_new = self.ledger.is_new(partition, record.offset);
        let (mut newest_ns, mut future, mut first, mut again, mut left_out) = (0, 0, 0, 0, 0);
        for (index, span) in self.facts.spans.iter_mut().enumerate() {
            let at = Frontier { offset: record.offset, index };
            let exporter = if span.instance.is_some() { span.instance } else { span.service };
            let admit = self.watermarks.observe(partition, exporter, span.end_ns, arrival_ms);
            let patience = self.watermarks.patience(partition);
            let counted = !is_new && self.ledger.seen(partition, at, span.end_ns) == Seen::Counted;
            let Some(how) = Counting::of(admit, patience) else {
                future += 1;
                continue;
            };
            let how = if counted { Counting::PairOnly } else { how };
            if let Counting::Late { watermark_ns, .. } = how {
                self.ledger.late(partition, at, watermark_ns);
            }
            newest_ns = newest_ns.max(span.end_ns);
            if !self.sampling.keep(span) {
                left_out += u64::from(is_original(span));
                continue;
            }
            *(if counted { &mut again } else { &mut first }) += u64::from(is_original(span));
            self.splitter.push(span, how);
        }
        self.newest_ns = self.newest_ns.max(newest_ns);
        self.splitter.announce(&mut self.facts.names);
        let counters = &self.state.counters;
        counters.spans.add(first);
        counters.spans_reread.add(again);
        counters.spans_sampled_out.add(left_out);
        if future > 0 {
            counters.future.add(future);
            self.dead_letters.write_future(record, future, now_ms());
        }
        newest_ns
    }

    /// What ended before this has been read, as far as it is on time, Unix nanoseconds.
    pub(crate) fn low_ns(&mut self) -> u64 {
        self.watermarks.low_ns().unwrap_or(0)
    }

    /// May a window close by what was taken? What comes after it can wait until that is told.
    pub(crate) fn closes(&mut self) -> bool {
        self.watermarks.may_close(self.closed_ns + self.width_ns)
    }

    /// The mark that closes every window that may close now, if there is one more than before.
    pub(crate) fn mark(&mut self, polled_at: Instant) -> Option<Arc<Mark>> {
        let low_ns = self.watermarks.low_ns()?;
        self.mark_at(low_ns / self.width_ns * self.width_ns, polled_at, false)
    }

    /// The mark that closes everything that was read, as nothing comes any more.
    pub(crate) fn last_mark(&mut self, polled_at: Instant) -> Option<Arc<Mark>> {
        if self.newest_ns == 0 {
            return None;
        }
        let end_ns = self.watermarks.drain().div_ceil(self.width_ns).saturating_mul(self.width_ns);
        self.mark_at(end_ns, polled_at, true)
    }

    fn mark_at(&mut self, closed_ns: u64, polled_at: Instant, ended: bool) -> Option<Arc<Mark>> {
        if closed_ns <= self.closed_ns {
            return None;
        }
        self.closed_ns = closed_ns;
        self.dead_letters.settle();
        Some(Arc::new(Mark { closed_ns, positions: self.ledger.positions(closed_ns), polled_at, ended }))
    }

    /// Has the share of traces that are read to change? To be asked once a second.
    pub(crate) fn weigh(&mut self) -> Option<u16> {
        let behind_ms = self.behind_ms.take()?;
        self.sampling.look(behind_ms)
    }

    /// Partitions that have to be read up to an offset before any window may close.
    pub(crate) fn behind(&self) -> Vec<(PartitionId, i64)> {
        self.ledger.behind().collect()
    }

    /// The next record to read of every partition of which any was read.
    pub(crate) fn next(&self) -> impl Iterator<Item = (PartitionId, i64)> + '_ {
        self.ledger.next()
    }

    /// Every change of a grace since the last call, as inputs.
    pub(crate) fn grace_changes(&mut self) -> Vec<Input> {
        let change = |change: window::GraceChange| Input::GraceChanged {
            partition: as_input(change.partition),
            grace_ms: u64::from(change.grace_ms),
        };
        self.watermarks.changes().into_iter().map(change).collect()
    }

    /// Waits until dead letters are acknowledged.
    pub(crate) fn settle(&mut self) {
        self.dead_letters.settle();
    }
}

fn decode(reader: &mut Reader, encoding: Encoding, payload: &[u8], facts: &mut Facts) -> Result<usize, Poison> {
    #[cfg(feature = "testing")]
    crate::tripwire::decoder(payload);
    reader.read(encoding, payload, facts)
}

/// Copies for links are no spans of their own.
fn is_original(span: &Span) -> bool {
    !span.flags.has(SpanFlags::LINKED)
}

pub(crate) fn as_input(partition: PartitionId) -> Partition {
    Partition { topic: partition.topic, partition: partition.partition }
}
