//! Files of OTLP records: JSON lines, and protobuf records with their length before them.
//!
//! What the OpenTelemetry Collector's file exporter writes and `stopbank generate --out` does; `.gz` and `.zst` are told
//! by their content. A record is bounded; a file is never read whole.

use crate::Encoding;
use std::io::{Read, Write};

/// How records follow each other in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One OTLP/JSON record a line.
    JsonLines,
    /// Protobuf, each record after its length as four bytes, big-endian (the Collector's file exporter, `format: proto`).
    LengthPrefixed,
    /// Protobuf, each record after its length as a varint (protobuf's `writeDelimitedTo`). Read only.
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
        "{place}: a record of {bytes} bytes or more, {bytes_max} are allowed; the file is damaged or is not a capture of OTLP records"
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

/// A capture that is being read.
pub struct Capture {
    _input: Box<dyn Read + Send>,
}

/// Opens a capture; compression and framing are told by the content. A record may have up to 64 MiB.
///
/// # Errors
/// The first bytes cannot be read or are not those of a capture.
#[allow(clippy::todo)]
pub fn open(_input: impl Read + Send + 'static) -> Result<Capture, CaptureError> {
    todo!()
}

impl Capture {
    /// The next record, into `record` (which is emptied first); `None` at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read, ends inside a record, or a record is too long.
    #[allow(clippy::todo)]
    pub fn next_record(&mut self, _record: &mut Vec<u8>) -> Result<Option<Encoding>, CaptureError> {
        todo!()
    }

    /// Where the record that was read last stands.
    #[allow(clippy::todo)]
    pub fn place(&self) -> Place {
        todo!()
    }

    /// How records follow each other.
    #[allow(clippy::todo)]
    pub fn framing(&self) -> Framing {
        todo!()
    }
}

/// Writes a capture.
pub struct CaptureWriter<W: Write> {
    _output: W,
}

impl<W: Write> CaptureWriter<W> {
    /// A writer of records in this framing ([`Framing::JsonLines`] for OTLP/JSON, [`Framing::LengthPrefixed`] for protobuf).
    ///
    /// # Errors
    /// The compressor cannot be set up.
    pub fn new(output: W, _framing: Framing, _compression: Compression) -> std::io::Result<CaptureWriter<W>> {
        Ok(CaptureWriter { _output: output })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// It cannot be written.
    #[allow(clippy::todo)]
    pub fn write_record(&mut self, _record: &[u8]) -> std::io::Result<()> {
        todo!()
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// The rest cannot be written.
    #[allow(clippy::todo)]
    pub fn finish(self) -> std::io::Result<W> {
        todo!()
    }
}
