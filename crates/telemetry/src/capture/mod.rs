//! Files of records (OTLP, Jaeger, Zipkin): JSON lines, and protobuf records with their length before them.
//!
//! What the OpenTelemetry Collector's file exporter writes and `stopbank generate --out` does; `.gz` and `.zst` are
//! told by their content. A record is bounded; a file is never read whole.

mod read;
mod write;

pub use read::{Capture, open};
pub use write::CaptureWriter;

/// How records follow each other in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON record a line.
    JsonLines,
    /// Each record after its length as four bytes, big-endian (the Collector's file exporter with `format: proto`, and
    /// with `compression: zstd`, where each record is compressed by itself).
    LengthPrefixed,
    /// Protobuf, each record after its length as a varint (protobuf's `writeDelimitedTo`).
    VarintPrefixed,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read or written.
    #[error("{place}: {source}")]
    Io {
        /// Where.
        place: Place,
        /// Why.
        source: std::io::Error,
    },
    /// The file ends inside a record.
    #[error("{place}: the file ends inside a record of {wanted_bytes} bytes; the capture was cut")]
    Cut {
        /// Where the record starts.
        place: Place,
        /// How long it should be.
        wanted_bytes: u64,
    },
    /// A record is longer than the bound.
    #[error(
        "{place}: a record of {bytes} bytes or more, {bytes_max} are allowed; the file is damaged or is no OTLP capture"
    )]
    TooLong {
        /// Where the record starts.
        place: Place,
        /// How long it says it is, or how much of it was read.
        bytes: u64,
        /// The bound.
        bytes_max: usize,
    },
    /// Not a capture.
    #[error("{place}: neither OTLP/JSON lines nor length-delimited OTLP protobuf; it begins with {begins}")]
    NotACapture {
        /// Where.
        place: Place,
        /// Its first bytes in hex.
        begins: String,
    },
}

/// Where in a capture: the record, and its line or offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The record, from 1.
    pub record: u64,
    /// Its line, from 1; 0 if the file has no lines.
    pub line: u64,
    /// Where it starts, in bytes of the uncompressed file.
    pub at_byte: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(out, "record {} at byte {}", self.record, self.at_byte),
            line => write!(out, "line {line}"),
        }
    }
}
