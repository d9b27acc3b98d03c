//! Captures: what is written is read again, in every framing and compression; damage is named with its place.
#![allow(missing_docs)]

use std::io::{self, Cursor, Read};
use telemetry::capture::{CaptureError, CaptureWriter, Compression, Framing, open};
use telemetry::emit::{ResourceSpans, SpanOut, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, Reader, ReaderConfig};

fn records(framing: Framing) -> Vec<Vec<u8>> {
    (1..200u64)
        .map(|id| {
            let span = SpanOut { trace: model::TraceId(9), id: model::SpanId(id), end_ns: id, ..SpanOut::default() };
            let request =
                [ResourceSpans { resource: &[], scope: "", scope_attributes: &[], spans: &vec![span; id as usize] }];
            if framing == Framing::JsonLines { otlp_json(&request) } else { otlp_proto(&request) }
        })
        .collect()
}

fn all(input: impl Read + Send + 'static) -> Result<Vec<Vec<u8>>, CaptureError> {
    let mut capture = open(input)?;
    let (mut found, mut record) = (Vec::new(), Vec::new());
    while capture.next_record(&mut record)?.is_some() {
        found.push(record.clone());
    }
    Ok(found)
}

/// Gives a byte at a time, as a slow pipe does.
struct Drops(Cursor<Vec<u8>>);

impl Read for Drops {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = buffer.len().min(1);
        self.0.read(&mut buffer[..end])
    }
}

#[test]
fn what_is_written_is_read_again() {
    for framing in [Framing::JsonLines, Framing::LengthPrefixed, Framing::VarintPrefixed] {
        let written = records(framing);
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let mut writer = CaptureWriter::new(Vec::new(), framing, compression).expect("a compressor");
            for record in &written {
                writer.write_record(record).expect("memory takes it");
            }
            let file = writer.finish().expect("memory takes it");
            let read = all(Drops(Cursor::new(file.clone()))).expect("a good capture");
            assert!(read == written, "{framing:?} {compression:?}");
            // Files are appended to.
            let twice = all(Cursor::new([file.clone(), file].concat())).expect("a good capture");
            assert_eq!(twice.len(), 2 * written.len(), "{framing:?} {compression:?}");
        }
    }
}

#[test]
fn records_that_are_compressed_one_by_one_are_read() {
    let written = records(Framing::LengthPrefixed);
    let mut file = Vec::new();
    for record in &written {
        let packed = zstd::encode_all(&record[..], 1).expect("memory takes it");
        file.extend((packed.len() as u32).to_be_bytes());
        file.extend(packed);
    }
    assert!(all(Cursor::new(file)).expect("a good capture") == written);
}

#[test]
fn lines_may_be_blank_end_in_crlf_or_not_end_at_all() {
    let mut capture = open(Cursor::new("\u{feff}{\"a\":1}\r\n\n  \n{\"b\":2}")).expect("a good capture");
    let mut record = Vec::new();
    let mut facts = Facts::default();
    let mut lines = Vec::new();
    while let Some(encoding) = capture.next_record(&mut record).expect("a good capture") {
        assert_eq!(encoding, Encoding::OtlpJson);
        Reader::new(ReaderConfig::default()).read(encoding, &record, &mut facts).expect("legal JSON");
        lines.push(capture.place().line);
    }
    assert_eq!(lines, [1, 4]);
    for empty in ["", " \n\n"] {
        assert_eq!(all(Cursor::new(empty)).expect("an empty capture").len(), 0);
    }
}

#[test]
fn damage_is_named_with_its_place() {
    let record = &records(Framing::LengthPrefixed)[3];
    let whole = [&(record.len() as u32).to_be_bytes()[..], record].concat();
    let cut = [&whole[..], &whole[..whole.len() - 1]].concat();
    let huge = [&whole[..], &[0x7f, 0, 0, 0, 1]].concat();
    let mut short_gzip = CaptureWriter::new(Vec::new(), Framing::JsonLines, Compression::Gzip).expect("a compressor");
    short_gzip.write_record(b"{}").expect("memory takes it");
    let gzip = short_gzip.finish().expect("memory takes it");
    let at = whole.len();
    for (file, wanted) in [
        (cut, format!("record 2 at byte {at}: the file ends inside a record of {} bytes", record.len())),
        ([&whole[..], &[0, 0]].concat(), format!("record 2 at byte {at}: the file ends inside a record of 4 bytes")),
        (huge, format!("record 2 at byte {at}: a record of 2130706432 bytes or more")),
        (b"PAR1 and so on".to_vec(), "record 1 at byte 0: neither OTLP/JSON lines nor".to_owned()),
        (gzip[..gzip.len() - 6].to_vec(), "record 1 at byte 0: unexpected end of file".to_owned()),
    ] {
        let error = all(Cursor::new(file)).expect_err("damaged").to_string();
        assert!(error.starts_with(&wanted), "{error}");
    }
}

#[test]
fn json_with_line_feeds_is_refused_by_the_writer() {
    let mut writer = CaptureWriter::new(Vec::new(), Framing::JsonLines, Compression::None).expect("no compressor");
    assert!(writer.write_record(b"{\n}").is_err());
}
