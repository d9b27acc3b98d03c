//! Writing a capture.

use super::{Compression, Framing};
use std::io::{self, BufWriter, Write};

/// Writes a capture.
pub struct CaptureWriter<W: Write> {
    output: Output<W>,
    framing: Framing,
}

enum Output<W: Write> {
    Plain(BufWriter<W>),
    Gzip(flate2::write::GzEncoder<BufWriter<W>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<W>>),
}

impl<W: Write> CaptureWriter<W> {
    /// A writer of records in this framing ([`Framing::JsonLines`] for OTLP/JSON, [`Framing::LengthPrefixed`] for
    /// protobuf).
    ///
    /// # Errors
    /// The compressor cannot be set up.
    pub fn new(output: W, framing: Framing, compression: Compression) -> io::Result<CaptureWriter<W>> {
        const ZSTD_LEVEL: i32 = 3;
        let output = BufWriter::new(output);
        let output = match compression {
            Compression::None => Output::Plain(output),
            Compression::Gzip => Output::Gzip(flate2::write::GzEncoder::new(output, flate2::Compression::default())),
            Compression::Zstd => Output::Zstd(zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?),
        };
        Ok(CaptureWriter { output, framing })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// It cannot be written, is 4 GiB or longer, or does not fit the framing (a JSON record of more than one line).
    pub fn write_record(&mut self, record: &[u8]) -> io::Result<()> {
        let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        let Ok(length) = u32::try_from(record.len()) else { return refused("a record of 4 GiB or more") };
        if self.framing == Framing::JsonLines && record.contains(&b'\n') {
            return refused("a JSON record of more than one line; write it without line feeds");
        }
        let output = self.output.writer();
        match self.framing {
            Framing::JsonLines => {
                output.write_all(record)?;
                return output.write_all(b"\n");
            }
            Framing::LengthPrefixed => output.write_all(&length.to_be_bytes())?,
            Framing::VarintPrefixed => {
                let mut rest = length;
                while rest >= 0x80 {
                    output.write_all(&[rest as u8 | 0x80])?;
                    rest >>= 7;
                }
                output.write_all(&[rest as u8])?;
            }
        }
        output.write_all(record)
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// The rest cannot be written.
    pub fn finish(self) -> io::Result<W> {
        let output = match self.output {
            Output::Plain(output) => output,
            Output::Gzip(encoder) => encoder.finish()?,
            Output::Zstd(encoder) => encoder.finish()?,
        };
        output.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Output<W> {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Output::Plain(output) => output,
            Output::Gzip(encoder) => encoder,
            Output::Zstd(encoder) => encoder,
        }
    }
}
