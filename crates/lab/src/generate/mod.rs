//! A stream of OTLP records at a wanted rate.
#![allow(clippy::todo)]

use crate::Topology;

/// How many spans a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Spans per second of event time; the caller paces by [`RecordMeta::at_ns`].
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

/// An endless stream of records, deterministic by seed.
pub struct Generator;

impl Generator {
    /// The next record's bytes are put into `out` (which is cleared first).
    pub fn next_record(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        let _ = out;
        todo!()
    }

    /// A generator over `topology`.
    pub fn new(topology: Topology, seed: u64, rate: Rate, start_unix_ns: u64) -> Generator {
        let _ = (topology, seed, rate, start_unix_ns);
        todo!()
    }
}
