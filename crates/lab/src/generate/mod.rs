//! A stream of OTLP records at a wanted rate, deterministic by seed.

mod chorus;
mod json;
mod paced;
mod recording;
mod replay;

pub use chorus::Chorus;

use crate::{Lens, Topology};
use paced::Paced;
use replay::Replay;
use telemetry::Encoding;

/// How many spans a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Spans per second of event time while nothing is wrong; the caller paces by [`RecordMeta::at_ns`]. The fleet's load
    /// and workers are scaled to reach it, and its faults happen on schedule.
    SpansPerSecond(f64),
    /// As fast as it can: a simulated stretch, over and over, with fresh ids and shifted times.
    Max,
}

/// What stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// How many spans.
    pub spans: u32,
    /// The first span's trace id, for those who key records by trace.
    pub key_trace: u128,
    /// When it is to be sent, Unix nanoseconds.
    pub at_ns: u64,
}

/// An endless stream of records.
pub struct Generator {
    source: Source,
}

enum Source {
    Paced(Box<Paced>),
    Replay(Replay),
}

/// The earliest start: 2001-09-09. From there to 2286 Unix nanoseconds have nineteen digits, so times in JSON can be
/// shifted in place.
const START_MIN_NS: u64 = 1_000_000_000_000_000_000;

impl Generator {
    /// A generator over `topology` whose first second begins at `start_unix_ns` (at the earliest 2001-09-09).
    /// [`Encoding::Auto`] means protobuf.
    pub fn new(topology: &Topology, seed: u64, rate: Rate, encoding: Encoding, start_unix_ns: u64) -> Generator {
        Generator::through(Lens::Plain, topology, seed, rate, encoding, start_unix_ns)
    }

    /// The same, and its spans as they are behind a lens. The rate is that of the spans before it.
    pub fn through(
        lens: Lens,
        topology: &Topology,
        seed: u64,
        rate: Rate,
        encoding: Encoding,
        start_unix_ns: u64,
    ) -> Generator {
        let start_unix_ns = start_unix_ns.max(START_MIN_NS);
        let source = match rate {
            Rate::SpansPerSecond(spans_per_s) => {
                Source::Paced(Box::new(Paced::new(lens, topology, seed, spans_per_s, encoding, start_unix_ns)))
            }
            Rate::Max => Source::Replay(Replay::new(lens, topology, seed, encoding, start_unix_ns)),
        };
        Generator { source }
    }

    /// Puts the next record's bytes into `out`, which is cleared first. `None` only if the topology can never emit a span.
    pub fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        out.clear();
        match &mut self.source {
            Source::Paced(paced) => paced.next_record(out),
            Source::Replay(replay) => replay.next_record(out),
        }
    }
}
