//! An examination: records in, a report out.

use crate::anatomy;
use crate::report::Report;
use crate::seen::{ExporterSeen, PartitionSeen, Seen};
use crate::witnessed::Witnessed;
use model::{NameId, Span, SpanFlags};
use telemetry::{Encoding, Facts, Poison, Reader, ReaderConfig};
use trace::Sample;
use window::{Grace, Lane, PartitionId, ShardConfig, WatermarkConfig};

/// Exporters whose lateness is measured apart.
const EXPORTERS_MAX: usize = 4_096;

/// How an examination works.
#[derive(Clone, Debug)]
pub struct ExaminationConfig {
    /// The decoder's budgets, and how services are named.
    pub reader: ReaderConfig,
    /// Windows, pairing and caps.
    pub window: ShardConfig,
    /// Spans kept in whole traces, about 150 bytes each.
    pub spans_max: usize,
}

impl Default for ExaminationConfig {
    fn default() -> Self {
        ExaminationConfig {
            reader: ReaderConfig::default(),
            window: ShardConfig { budget_bytes: 128 << 20, ..ShardConfig::default() },
            spans_max: 400_000,
        }
    }
}

/// Where a record came from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The topic, or the file.
    pub topic: &'a str,
    /// The partition; a file has only 0.
    pub partition: i32,
    /// The record's timestamp, if it has one, Unix milliseconds.
    pub arrival_ms: Option<u64>,
}

/// An examination under way.
pub struct Examination {
    config: ExaminationConfig,
    reader: Reader,
    facts: Facts,
    lane: Lane,
    witnessed: Witnessed,
    sample: Sample,
    seen: Seen,
    live: bool,
}

impl Examination {
    /// An examination that has seen nothing.
    pub fn new(config: ExaminationConfig) -> Examination {
        Examination {
            reader: Reader::new(config.reader.clone()),
            facts: Facts::default(),
            lane: lane(&config),
            witnessed: Witnessed::new(config.reader.clone()),
            sample: Sample::new(config.spans_max),
            seen: Seen::default(),
            live: false,
            config,
        }
    }

    /// There is such a partition, whether anything comes from it or not.
    pub fn expect(&mut self, topic: &str, partition: i32) {
        self.live = true;
        self.partition(topic, partition);
    }

    /// Takes one record.
    ///
    /// # Errors
    /// The record is poison: that is counted, and is part of the report.
    pub fn record(&mut self, from: Source<'_>, encoding: Encoding, payload: &[u8]) -> Result<usize, Poison> {
        let at = self.partition(from.topic, from.partition);
        self.seen.records += 1;
        self.seen.bytes += payload.len() as u64;
        self.seen.partitions[at].records += 1;
        self.facts.clear();
        let read = self.reader.read(encoding, payload, &mut self.facts).inspect_err(|poison| {
            self.seen.poison += 1;
            self.seen.first_poison.get_or_insert_with(|| format!("{}: {poison}", self.seen.partitions[at].name));
        })?;
        *self.seen.encodings.entry(Encoding::of(encoding, payload)).or_default() += 1;
        self.facts.names.iter().for_each(|named| self.seen.texts.learn(named));
        self.seen.oddities.add(&self.facts.oddities);
        for span in self.facts.spans.iter().filter(|span| !span.flags.has(SpanFlags::LINKED)) {
            time(&mut self.seen, at, span, from.arrival_ms);
            self.seen.count(span);
            self.sample.take(span);
        }
        let partition = PartitionId { topic: 0, partition: i32::try_from(at).unwrap_or(i32::MAX) };
        self.lane.observe(partition, &self.facts.names, &self.facts.spans, from.arrival_ms);
        let closed = self.lane.close();
        self.closed(&closed);
        Ok(read)
    }

    /// Takes one record of OTLP metrics. Of captures: all of them before the spans that they tell of.
    ///
    /// # Errors
    /// The record is poison: that is counted, and is part of the report.
    pub fn metrics(&mut self, encoding: Encoding, payload: &[u8]) -> Result<usize, Poison> {
        let measured = self.witnessed.read(encoding, payload).inspect_err(|_| self.seen.measured_poison += 1)?;
        self.seen.measured += measured.tally.points;
        measured.names.iter().for_each(|named| self.seen.texts.learn(named));
        Ok(measured.rows.len())
    }

    /// What follows has nothing to do with what was before: another file, perhaps of another day.
    pub fn next_file(&mut self) {
        let closed = self.lane.drain();
        self.closed(&closed);
        let counters = self.lane.counters();
        self.seen.windows.duplicates += counters.duplicates;
        self.seen.windows.future += self.lane.future();
        for (service, counted) in self.witnessed.end() {
            let known = self.seen.counted.entry(service).or_default();
            *known = counted.or(*known);
        }
        self.lane = lane(&self.config);
    }

    /// The diagnosis. `subject` says what was examined.
    pub fn report(mut self, subject: &str) -> Report {
        self.next_file();
        self.seen.one_in = self.sample.one_in();
        let traces = trace::traces(self.sample.into_spans());
        self.seen.anatomy = anatomy::dissect(&traces, &self.seen);
        Report::of(&self.seen, subject, self.live)
    }

    fn closed(&mut self, windows: &[model::Window]) {
        for window in windows {
            self.witnessed.pass(window);
            self.seen.windows.windows += 1;
            self.seen.windows.late += window.late;
            self.seen.windows.retries += window.edges.iter().map(|row| row.retries.0).sum::<u64>() / 1024;
        }
    }

    fn partition(&mut self, topic: &str, partition: i32) -> usize {
        let all = &mut self.seen.partitions;
        let name = if self.live { format!("{topic}/{partition}") } else { topic.to_owned() };
        all.iter().position(|known| known.name == name).unwrap_or_else(|| {
            all.push(PartitionSeen { name, ..PartitionSeen::default() });
            all.len() - 1
        })
    }
}

fn lane(config: &ExaminationConfig) -> Lane {
    Lane::new(Grace::default(), WatermarkConfig::default(), config.window.clone())
}

/// How late a span came, on its partition and of its exporter.
fn time(seen: &mut Seen, partition: usize, span: &Span, arrival_ms: Option<u64>) {
    let partition = &mut seen.partitions[partition];
    partition.spans += 1;
    partition.newest_ns = partition.newest_ns.max(span.end_ns);
    let late_ms = (partition.newest_ns - span.end_ns) / 1_000_000;
    partition.lateness.record(late_ms);
    if let Some(arrival_ms) = arrival_ms {
        partition.age.record(arrival_ms.saturating_sub(span.end_ns / 1_000_000));
    }
    let id: NameId = if span.instance.is_some() { span.instance } else { span.service };
    if seen.exporters.len() >= EXPORTERS_MAX && !seen.exporters.contains_key(&id) {
        return;
    }
    let exporter = seen.exporters.entry(id).or_insert_with(|| ExporterSeen {
        service: span.service,
        first_ns: span.end_ns,
        last_ns: span.end_ns,
        ..ExporterSeen::default()
    });
    exporter.spans += 1;
    exporter.lateness.record(late_ms);
    exporter.first_ns = exporter.first_ns.min(span.end_ns);
    if span.end_ns > exporter.last_ns {
        exporter.pause_ns = exporter.pause_ns.max(span.end_ns - exporter.last_ns);
        exporter.last_ns = span.end_ns;
    }
}
