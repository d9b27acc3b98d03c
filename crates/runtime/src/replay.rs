//! The core path without actors, for files: the same reader, windows and engine, in event time, as fast
//! as one thread can. The clock is the window's end plus the grace, so the same records give the same effects.

use engine::{Effect, Engine, EngineConfig, Input};
use model::{Window, WitnessRow};
use std::collections::BTreeMap;
use telemetry::{Encoding, Facts, Measured, MetricsReader, Poison, Reader, ReaderConfig, is_metrics_json};
use window::{Grace, Lane, PartitionId, ShardConfig, WatermarkConfig};

/// All records of files are taken as one partition.
const FILE: PartitionId = PartitionId { topic: 0, partition: 0 };

/// How a replay works.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The decoder's budgets, and how services are named.
    pub reader: ReaderConfig,
    /// Windows, pairing and caps.
    pub window: ShardConfig,
    /// How long after a window's end, in event time, it closes, milliseconds.
    pub grace_ms: u32,
    /// Bounds of the watermarks.
    pub watermark: WatermarkConfig,
    /// The engine.
    pub engine: EngineConfig,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig {
            reader: ReaderConfig::default(),
            window: ShardConfig::default(),
            grace_ms: 5_000,
            watermark: WatermarkConfig::default(),
            engine: EngineConfig::default(),
        }
    }
}

/// What a replay counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReplayCounts {
    /// Records read.
    pub records: u64,
    /// Spans read.
    pub spans: u64,
    /// Calls in closed windows.
    pub calls: u64,
    /// Windows closed.
    pub windows: u64,
    /// Spans that came after their window had closed.
    pub late: u64,
    /// Spans dated too far ahead of the others.
    pub future: u64,
    /// Spans seen twice.
    pub duplicates: u64,
    /// Records that could not be read.
    pub poison: u64,
    /// Data points of metrics that were read.
    pub measured: u64,
}

/// An input that the engine took, and what came of it.
#[derive(Debug)]
pub struct Replayed<'a> {
    /// The time of the replay, Unix milliseconds.
    pub now_ms: u64,
    /// The input: a window, or the tick after it.
    pub input: &'a Input,
    /// Its effects, in order.
    pub effects: Vec<Effect>,
    /// The engine after it.
    pub engine: &'a Engine,
}

/// A replay under way.
pub struct Replay {
    reader: Reader,
    facts: Facts,
    metrics: MetricsReader,
    measured: Measured,
    /// What producers counted, by the end of the interval: the engine hears of it as the windows pass.
    waiting: BTreeMap<u64, Vec<WitnessRow>>,
    lane: Lane,
    engine: Engine,
    grace_ms: u64,
    shift_ns: i64,
    counts: ReplayCounts,
}

impl Replay {
    /// A replay with an engine that knows nothing.
    pub fn new(config: ReplayConfig) -> Replay {
        let engine = Engine::new(config.engine.clone());
        Replay::with_engine(config, engine)
    }

    /// A replay that goes on with an engine, for example one that has learned from a healthy capture.
    pub fn with_engine(config: ReplayConfig, engine: Engine) -> Replay {
        let grace = Grace::Fixed { grace_ms: config.grace_ms };
        Replay {
            metrics: MetricsReader::new(config.reader.clone()),
            measured: Measured::default(),
            waiting: BTreeMap::new(),
            reader: Reader::new(config.reader),
            facts: Facts::default(),
            lane: Lane::new(grace, config.watermark, config.window),
            engine,
            grace_ms: u64::from(config.grace_ms),
            shift_ns: 0,
            counts: ReplayCounts::default(),
        }
    }

    /// Moves the times of the spans of all further records by so much, so that captures of different days can follow each
    /// other.
    pub fn shift(&mut self, shift_ns: i64) {
        self.shift_ns = shift_ns;
    }

    /// Takes one record, of traces or (in JSON) of metrics; metrics are to come before the traces that they tell of. `each` sees
    /// every window that it closes, and the tick after each, with the effects.
    ///
    /// # Errors
    /// The record is poison: it is counted and nothing of it is taken; go on with the next one.
    pub fn record(
        &mut self,
        encoding: Encoding,
        payload: &[u8],
        each: &mut dyn FnMut(Replayed<'_>),
    ) -> Result<usize, Poison> {
        self.counts.records += 1;
        if is_metrics_json(payload) {
            return self.metrics(payload).inspect_err(|_| self.counts.poison += 1);
        }
        self.facts.clear();
        let read = self.reader.read(encoding, payload, &mut self.facts);
        let spans = read.inspect_err(|_| self.counts.poison += 1)?;
        self.counts.spans += spans as u64;
        for span in &mut self.facts.spans {
            span.start_ns = span.start_ns.saturating_add_signed(self.shift_ns);
            span.end_ns = span.end_ns.saturating_add_signed(self.shift_ns);
        }
        self.lane.observe(FILE, &self.facts.names, &self.facts.spans, None);
        let closed = self.lane.close();
        self.take(closed, each);
        Ok(spans)
    }

    fn metrics(&mut self, payload: &[u8]) -> Result<usize, Poison> {
        self.measured = Measured::default();
        let read = self.metrics.read(Encoding::OtlpJson, payload, &mut self.measured)?;
        self.counts.measured += self.measured.tally.points;
        for mut row in WitnessRow::gathered(&self.measured.rows) {
            row.start_ns = row.start_ns.saturating_add_signed(self.shift_ns);
            row.end_ns = row.end_ns.saturating_add_signed(self.shift_ns);
            self.waiting.entry(row.end_ns).or_default().push(row);
        }
        Ok(read)
    }

    /// The input has ended: closes every window.
    pub fn finish(&mut self, each: &mut dyn FnMut(Replayed<'_>)) {
        let closed = self.lane.drain();
        self.take(closed, each);
    }

    /// What was counted so far.
    pub fn counts(&self) -> ReplayCounts {
        ReplayCounts { duplicates: self.lane.counters().duplicates, future: self.lane.future(), ..self.counts }
    }

    /// The engine as it is now.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to go on with elsewhere.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    fn take(&mut self, closed: Vec<Window>, each: &mut dyn FnMut(Replayed<'_>)) {
        for window in closed {
            self.counts.windows += 1;
            self.counts.late += window.late;
            self.counts.calls += window.edges.iter().map(|row| row.calls.0).sum::<u64>().div_ceil(1024);
            let now_ms = window.end_ns / 1_000_000 + self.grace_ms;
            let later = self.waiting.split_off(&(window.end_ns + 1));
            let rows: Vec<WitnessRow> = std::mem::replace(&mut self.waiting, later).into_values().flatten().collect();
            if !rows.is_empty() {
                let input = Input::Measured(rows);
                let effects = self.engine.apply(&input);
                each(Replayed { now_ms, input: &input, effects, engine: &self.engine });
            }
            // The tick first: the window is then as old as its grace, as it would have been in the live pipeline.
            for input in [Input::Tick { now_ms }, Input::Window(window)] {
                let effects = self.engine.apply(&input);
                each(Replayed { now_ms, input: &input, effects, engine: &self.engine });
            }
        }
    }
}
