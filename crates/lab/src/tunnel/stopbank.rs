//! The real pipeline as a pilot: decoder, windows and engine, in one thread and in virtual time.

use super::{Pilot, Seen};
use engine::{Effect, Engine, EngineConfig, Input};
use model::{GraphView, GuardReport, Mode, Window, WitnessRow};
use telemetry::{Encoding, Facts, Measured, MetricsReader, Reader, ReaderConfig};
use window::{Grace, Labels, Lane, PartitionId, ShardConfig, WatermarkConfig};

/// All telemetry of a world comes by one partition.
const PARTITION: PartitionId = PartitionId { topic: 0, partition: 0 };

/// What the pipeline is told.
#[derive(Clone, Debug)]
pub struct StopbankConfig {
    /// The decoder's budgets, and how services are named.
    pub reader: ReaderConfig,
    /// How long a window waits for spans that are still on their way.
    pub grace: Grace,
    /// Bounds of the watermarks.
    pub watermark: WatermarkConfig,
    /// Windows, pairing and caps.
    pub window: ShardConfig,
    /// The engine.
    pub engine: EngineConfig,
}

impl Default for StopbankConfig {
    /// As `run` has it, but it acts, follows every flow, and believes what spans say of criticality: the edge of a
    /// simulated fleet is its own.
    fn default() -> Self {
        StopbankConfig {
            reader: ReaderConfig::default(),
            grace: Grace::default(),
            watermark: WatermarkConfig::default(),
            window: ShardConfig { flow_sample: 1, labels: Labels::Trusted, ..ShardConfig::default() },
            engine: EngineConfig { domain: super::DOMAIN.to_owned(), mode: Mode::Act, ..EngineConfig::default() },
        }
    }
}

/// The pipeline.
pub struct Stopbank {
    reader: Reader,
    facts: Facts,
    metrics: MetricsReader,
    lane: Lane,
    engine: Engine,
    bytes: Vec<u8>,
}

impl Stopbank {
    /// A pipeline that knows nothing yet.
    pub fn new(config: StopbankConfig) -> Stopbank {
        Stopbank {
            metrics: MetricsReader::new(config.reader.clone()),
            reader: Reader::new(config.reader),
            facts: Facts::default(),
            lane: Lane::new(config.grace, config.watermark, config.window),
            engine: Engine::new(config.engine),
            bytes: Vec::new(),
        }
    }

    /// The engine as it is now.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The time is this.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Effect> {
        self.engine.apply(&Input::Tick { now_ms })
    }

    /// A guard has reported.
    pub fn report(&mut self, report: &GuardReport) -> Vec<Effect> {
        self.engine.apply(&Input::Report(report.clone()))
    }

    /// A record of OTLP protobuf that `encode` writes has arrived.
    pub fn record(&mut self, at_ms: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        encode(&mut self.bytes);
        self.facts.clear();
        let read = self.reader.read(Encoding::OtlpProto, &self.bytes, &mut self.facts);
        read.expect("the record was written by our own encoder, within the budgets");
        self.lane.observe(PARTITION, &self.facts.names, &self.facts.spans, Some(at_ms));
    }

    /// A record of metrics in OTLP JSON has arrived.
    pub fn metrics(&mut self, payload: &[u8]) -> Vec<Effect> {
        let mut measured = Measured::default();
        let read = self.metrics.read(Encoding::OtlpJson, payload, &mut measured);
        read.expect("the record was written by our own fleet, within the budgets");
        self.engine.apply(&Input::Measured(WitnessRow::gathered(&measured.rows)))
    }

    /// The windows that can be closed go to the engine; `each` sees them first.
    pub fn close(&mut self, each: impl FnMut(&Window)) -> Vec<Effect> {
        let windows = self.lane.close();
        self.take(windows, each)
    }

    /// Nothing more arrives: all windows go to the engine.
    pub fn drain(&mut self, each: impl FnMut(&Window)) -> Vec<Effect> {
        let windows = self.lane.drain();
        self.take(windows, each)
    }

    fn take(&mut self, windows: Vec<Window>, mut each: impl FnMut(&Window)) -> Vec<Effect> {
        let mut effects = Vec::new();
        for window in windows {
            each(&window);
            effects.extend(self.engine.apply(&Input::Window(window)));
        }
        effects
    }
}

impl Pilot for Stopbank {
    fn name(&self) -> &str {
        "stopbank"
    }

    fn reads(&self) -> bool {
        true
    }

    fn step(&mut self, seen: &Seen<'_>) -> Vec<Effect> {
        let mut effects = self.tick(seen.now_ms);
        for report in seen.reports {
            effects.extend(self.report(report));
        }
        for arrived in seen.exports {
            self.record(arrived.at_ms, |bytes| arrived.export.encode_into(Encoding::OtlpProto, bytes));
        }
        effects.extend(self.close(|_| {}));
        effects
    }

    fn view(&self) -> Option<GraphView> {
        Some(self.engine.view())
    }
}
