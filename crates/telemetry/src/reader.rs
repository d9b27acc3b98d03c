//! A record's bytes to facts.

use crate::read::detect::detect;
use crate::read::draft::{Link, Slots};
use crate::read::names::Names;
use crate::read::sink::{Sink, Work};
use crate::read::wire::{Damage, Wire};
use crate::read::{jaeger, json, proto, zipkin};
use crate::{Encoding, Facts, Oddities, Poison, PoisonReason, ReaderConfig};

/// Reads records one after the other; remembers names and operations, so one per source thread.
pub struct Reader {
    config: ReaderConfig,
    work: Work,
    links: Vec<Link>,
    unescaped: Vec<u8>,
}

impl Reader {
    /// A reader that has announced no name yet.
    pub fn new(config: ReaderConfig) -> Reader {
        let work = Work {
            names: Names::new(&config),
            unmarked: config.unmarked,
            buffer: Vec::new(),
            oddities: Oddities::default(),
        };
        Reader { config, work, links: Vec::new(), unescaped: Vec::new() }
    }

    /// Reads a record and appends its spans to `out`. Returns how many (copies for links not counted).
    ///
    /// A prefix as schema registries want it (a zero byte and a four-byte id) is taken off. Names that `out.spans` use
    /// are in `out.names` if this reader has not announced them before.
    ///
    /// # Errors
    /// The record is poison: nothing was appended to `out`.
    pub fn read(&mut self, encoding: Encoding, payload: &[u8], out: &mut Facts) -> Result<usize, Poison> {
        if payload.len() > self.config.payload_bytes_max {
            let detail = format!("{} bytes, {} are allowed", payload.len(), self.config.payload_bytes_max);
            return Err(Poison { reason: PoisonReason::TooLarge, at_byte: self.config.payload_bytes_max, detail });
        }
        let (encoding, body) = detect(encoding, payload);
        let start = out.spans.len();
        self.work.oddities = Oddities::default();
        let mut slots = Slots::new(std::mem::take(&mut self.unescaped));
        let mut sink = Sink {
            work: &mut self.work,
            config: &self.config,
            spans: &mut out.spans,
            links: &mut self.links,
            start,
            met: 0,
            resources: 0,
            read: 0,
        };
        let result = match encoding {
            Encoding::OtlpProto => {
                proto::request(Wire(body), &mut slots, &mut sink).map_err(|damage| located(damage, payload))
            }
            Encoding::JaegerProto => {
                jaeger::request(Wire(body), &mut slots, &mut sink).map_err(|damage| located(damage, payload))
            }
            Encoding::ZipkinProto => {
                zipkin::request(Wire(body), &mut slots, &mut sink).map_err(|damage| located(damage, payload))
            }
            Encoding::OtlpJson | Encoding::JaegerJson | Encoding::ZipkinJson => {
                text(encoding, body, &mut slots, &mut sink).map_err(|mut poison| {
                    poison.at_byte += payload.len() - body.len();
                    poison
                })
            }
            Encoding::Auto => {
                Err(Poison { reason: PoisonReason::NotOtlp, at_byte: payload.len() - body.len(), detail: begins(body) })
            }
        };
        let read = sink.read;
        self.unescaped = slots.unescaped;
        match result {
            Ok(()) => {
                self.work.names.hand_over(&mut out.names);
                out.oddities.add(&self.work.oddities);
                Ok(read)
            }
            Err(poison) => {
                out.spans.truncate(start);
                self.work.names.hold_back();
                Err(poison)
            }
        }
    }
}

fn text<'a>(encoding: Encoding, body: &'a [u8], slots: &mut Slots<'a>, sink: &mut Sink<'_>) -> Result<(), Poison> {
    const BYTE_ORDER_MARK: char = '\u{feff}';
    let text = std::str::from_utf8(body).map_err(|error| Poison {
        reason: PoisonReason::Utf8,
        at_byte: error.valid_up_to(),
        detail: String::new(),
    })?;
    let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let read = match encoding {
        Encoding::JaegerJson => jaeger::json(json, slots, sink),
        Encoding::ZipkinJson => zipkin::json(json, slots, sink),
        _ => json::request(json, slots, sink),
    };
    read.map_err(|broken| Poison {
        reason: broken.reason,
        at_byte: broken.at_byte + text.len() - json.len(),
        detail: broken.detail,
    })
}

/// Where in the payload the damage is.
pub(crate) fn located(damage: Damage, payload: &[u8]) -> Poison {
    let at_byte = damage.address.saturating_sub(payload.as_ptr() as usize).min(payload.len());
    Poison { reason: damage.reason, at_byte, detail: String::new() }
}

fn begins(body: &[u8]) -> String {
    const SHOWN_BYTES: usize = 16;
    format!("it begins with {:?}", String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]))
}
