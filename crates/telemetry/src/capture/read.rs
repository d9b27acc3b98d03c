//! Reading a capture: what it is is told by its content, records come one by one, each bounded.

use super::{CaptureError, Framing, Place};
use crate::Encoding;
use std::io::{self, BufRead, BufReader, Cursor, Read};

const RECORD_BYTES_MAX: usize = 64 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// How much of a file tells what it is: leading white space included.
const HEAD_BYTES: usize = 64;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The first field of every protobuf record that is not empty, in every format that is read.
const RESOURCE_SPANS: u8 = 0x0a;

/// A capture that is being read.
pub struct Capture {
    input: BufReader<Box<dyn Read + Send>>,
    framing: Framing,
    place: Place,
    next_byte: u64,
    next_line: u64,
    compressed: Vec<u8>,
}

/// Opens a capture; compression and framing are told by the content. A record may have up to 64 MiB. An empty file is a
/// capture without records.
///
/// # Errors
/// The first bytes cannot be read or are not those of a capture.
pub fn open(input: impl Read + Send + 'static) -> Result<Capture, CaptureError> {
    let at_start = |source| CaptureError::Io { place: Place { record: 1, line: 0, at_byte: 0 }, source };
    let (head, input) = peek(Box::new(input)).map_err(at_start)?;
    let input: Box<dyn Read + Send> = if head.starts_with(&GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input)))
    } else if head.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::new(input).map_err(at_start)?)
    } else {
        input
    };
    let (head, input) = peek(input).map_err(at_start)?;
    let framing = framing(&head).ok_or_else(|| CaptureError::NotACapture {
        place: Place { record: 1, line: 0, at_byte: 0 },
        begins: head.iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
    })?;
    Ok(Capture {
        input: BufReader::with_capacity(BUFFER_BYTES, input),
        framing,
        place: Place::default(),
        next_byte: 0,
        next_line: 1,
        compressed: Vec::new(),
    })
}

impl Capture {
    /// The next record, into `record` (which is emptied first); `None` at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read, ends inside a record, or a record is too long.
    pub fn next_record(&mut self, record: &mut Vec<u8>) -> Result<Option<Encoding>, CaptureError> {
        record.clear();
        self.place.record += 1;
        self.place.at_byte = self.next_byte;
        match self.framing {
            Framing::JsonLines => self.next_line(record),
            Framing::LengthPrefixed => match self.fixed_length()? {
                Some(length) => self.delimited(length, record).map(Some),
                None => Ok(None),
            },
            Framing::VarintPrefixed => match self.varint_length()? {
                Some(length) => self.delimited(length, record).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Where the record that was read last stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// How records follow each other.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    fn next_line(&mut self, record: &mut Vec<u8>) -> Result<Option<Encoding>, CaptureError> {
        loop {
            self.place.line = self.next_line;
            self.place.at_byte = self.next_byte;
            let limit = RECORD_BYTES_MAX as u64 + 1;
            let read = (&mut self.input).take(limit).read_until(b'\n', record).map_err(|source| self.io(source))?;
            self.next_byte += read as u64;
            self.next_line += 1;
            if read == 0 {
                return Ok(None);
            }
            if record.last() != Some(&b'\n') && read as u64 == limit {
                return Err(self.too_long(read as u64));
            }
            let kept = record.trim_ascii_end().len();
            record.truncate(kept);
            if !record.is_empty() {
                return Ok(Some(told(record, Encoding::OtlpJson)));
            }
        }
    }

    fn fixed_length(&mut self) -> Result<Option<u64>, CaptureError> {
        let mut length = Vec::with_capacity(4);
        let read = (&mut self.input).take(4).read_to_end(&mut length).map_err(|source| self.io(source))?;
        self.next_byte += read as u64;
        match <[u8; 4]>::try_from(&length[..]) {
            Ok(length) => Ok(Some(u64::from(u32::from_be_bytes(length)))),
            Err(_) if read == 0 => Ok(None),
            Err(_) => Err(CaptureError::Cut { place: self.place, wanted_bytes: 4 }),
        }
    }

    fn varint_length(&mut self) -> Result<Option<u64>, CaptureError> {
        let mut length = 0u64;
        for index in 0..10 {
            let mut byte = [0];
            if self.input.read(&mut byte).map_err(|source| self.io(source))? == 0 {
                return if index == 0 {
                    Ok(None)
                } else {
                    Err(CaptureError::Cut { place: self.place, wanted_bytes: 1 })
                };
            }
            self.next_byte += 1;
            length |= u64::from(byte[0] & 0x7f).checked_shl(7 * index).unwrap_or(u64::MAX);
            if byte[0] < 0x80 {
                return Ok(Some(length));
            }
        }
        Err(self.too_long(u64::MAX))
    }

    fn delimited(&mut self, length: u64, record: &mut Vec<u8>) -> Result<Encoding, CaptureError> {
        if length > RECORD_BYTES_MAX as u64 {
            return Err(self.too_long(length));
        }
        // Grows with what is really there, not with what the length claims.
        let read = (&mut self.input).take(length).read_to_end(record).map_err(|source| self.io(source))?;
        self.next_byte += read as u64;
        if (read as u64) < length {
            return Err(CaptureError::Cut { place: self.place, wanted_bytes: length });
        }
        if record.starts_with(&ZSTD) {
            std::mem::swap(record, &mut self.compressed);
            record.clear();
            let limit = RECORD_BYTES_MAX as u64 + 1;
            let decoder = zstd::stream::read::Decoder::new(&self.compressed[..]).map_err(|source| self.io(source))?;
            decoder.take(limit).read_to_end(record).map_err(|source| self.io(source))?;
            if record.len() as u64 == limit {
                return Err(self.too_long(limit));
            }
            return Ok(Encoding::Auto);
        }
        Ok(told(record, Encoding::OtlpProto))
    }

    fn io(&self, source: io::Error) -> CaptureError {
        CaptureError::Io { place: self.place, source }
    }

    fn too_long(&self, bytes: u64) -> CaptureError {
        CaptureError::TooLong { place: self.place, bytes, bytes_max: RECORD_BYTES_MAX }
    }
}

/// The record's encoding by its first bytes; what they do not tell is taken for OTLP.
fn told(record: &[u8], otherwise: Encoding) -> Encoding {
    match Encoding::of(Encoding::Auto, record) {
        Encoding::Auto => otherwise,
        found => found,
    }
}

/// The first bytes, and the input with them still in it.
fn peek(mut input: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(whole)))
}

fn framing(head: &[u8]) -> Option<Framing> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if text.is_empty() || text.starts_with(b"{") || begins_as_list(text) {
        return Some(Framing::JsonLines);
    }
    if let Some((length, record)) = head.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let begins = length == 0 || record.first() == Some(&RESOURCE_SPANS) || record.starts_with(&ZSTD);
        if length <= RECORD_BYTES_MAX && begins {
            return Some(Framing::LengthPrefixed);
        }
    }
    let length_bytes = head.iter().take(4).position(|byte| *byte < 0x80)? + 1;
    (head.get(length_bytes) == Some(&RESOURCE_SPANS)).then_some(Framing::VarintPrefixed)
}

/// A line of Zipkin's JSON.
fn begins_as_list(text: &[u8]) -> bool {
    let inside = text.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| matches!(inside.first(), Some(b'{' | b']')))
}
