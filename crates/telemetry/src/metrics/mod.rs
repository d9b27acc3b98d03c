//! OTLP metrics to what producers counted: `ExportMetricsServiceRequest` (the same bytes as `MetricsData`), in protobuf or
//! JSON, walked like traces, with the same budgets and the same conduct towards poison.
//!
//! Only the metrics that [`meaning`] knows are read; cumulative streams become differences in [`streams`].

mod json;
mod meaning;
mod point;
mod proto;
mod streams;

use crate::read::draft::Slots;
use crate::read::names::Names;
use crate::read::sink::Work;
use crate::read::wire::Wire;
use crate::reader::located;
use crate::{Encoding, Oddities, Poison, PoisonReason, ReaderConfig};
use model::{Named, WitnessRow};
use point::Sink;
use streams::Streams;

/// What records said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// What was counted, in the order of the payloads.
    pub rows: Vec<WitnessRow>,
    /// Names that the rows use and that the reader has not announced before.
    pub names: Vec<Named>,
    /// What became of the data points.
    pub tally: Tally,
}

/// What became of data points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Points of metrics that are read.
    pub points: u64,
    /// First points of a cumulative stream whose start is not known: there is nothing to subtract yet.
    pub baselines: u64,
    /// Cumulative streams that fell without saying that they began anew: what was counted in between is not known.
    pub resets: u64,
    /// Points that repeat an interval, or come too late for it.
    pub repeated: u64,
    /// Points without a time or with a count that is none.
    pub unusable: u64,
    /// Points of streams for which there was no room.
    pub refused: u64,
}

/// Reads metrics records one after the other; remembers names and streams, so one per source thread.
pub struct MetricsReader {
    config: ReaderConfig,
    work: Work,
    unescaped: Vec<u8>,
    streams: Streams,
}

/// Is this a metrics record in JSON? In protobuf only its topic tells.
pub fn is_metrics_json(payload: &[u8]) -> bool {
    const KEYS: [&[u8]; 2] = [b"resourceMetrics\"", b"resource_metrics\""];
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let inside = payload.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let key = inside.and_then(|inside| inside.strip_prefix(b"\""));
    key.is_some_and(|key| KEYS.iter().any(|known| key.starts_with(known)))
}

impl MetricsReader {
    /// A reader that knows no stream yet. `spans_max` bounds the data points of a record.
    pub fn new(config: ReaderConfig) -> MetricsReader {
        let work = Work {
            names: Names::new(&config),
            unmarked: config.unmarked,
            buffer: Vec::new(),
            oddities: Oddities::default(),
        };
        MetricsReader { config, work, unescaped: Vec::new(), streams: Streams::default() }
    }

    /// Reads a record and appends what was counted to `out`. Returns how many rows.
    ///
    /// # Errors
    /// The record is poison: nothing was appended, and no stream has moved.
    pub fn read(&mut self, encoding: Encoding, payload: &[u8], out: &mut Measured) -> Result<usize, Poison> {
        if payload.len() > self.config.payload_bytes_max {
            let detail = format!("{} bytes, {} are allowed", payload.len(), self.config.payload_bytes_max);
            return Err(Poison { reason: PoisonReason::TooLarge, at_byte: self.config.payload_bytes_max, detail });
        }
        let (found, body) = crate::read::detect::detect(encoding, payload);
        let prefix = payload.len() - body.len();
        let text = match found {
            Encoding::OtlpJson | Encoding::JaegerJson | Encoding::ZipkinJson => {
                Some(json::parse(body).map_err(|poison| Poison { at_byte: poison.at_byte + prefix, ..poison })?)
            }
            Encoding::OtlpProto | Encoding::JaegerProto | Encoding::ZipkinProto => None,
            Encoding::Auto => {
                return Err(Poison { reason: PoisonReason::NotOtlp, at_byte: prefix, detail: String::new() });
            }
        };
        let mut slots = Slots::new(std::mem::take(&mut self.unescaped));
        let mut sink = Sink::new(&mut self.work, &self.config);
        let result = match &text {
            Some(request) => json::walk(request, &mut slots, &mut sink).map_err(|reason| Poison {
                reason,
                at_byte: payload.len(),
                detail: String::new(),
            }),
            None => proto::request(Wire(body), &mut slots, &mut sink).map_err(|damage| located(damage, payload)),
        };
        let points = sink.points;
        self.unescaped = slots.unescaped;
        if let Err(poison) = result {
            self.work.names.hold_back();
            return Err(poison);
        }
        let before = out.rows.len();
        for point in points {
            self.streams.take(point, &mut out.rows, &mut out.tally);
        }
        self.work.names.hand_over(&mut out.names);
        Ok(out.rows.len() - before)
    }

    /// Streams that are remembered.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }
}
