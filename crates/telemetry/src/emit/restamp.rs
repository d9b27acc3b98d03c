//! Fresh ids and times for a record that was written once: fixed-size fields are changed where they stand.

use crate::read::wire::{Damage, Wire};
use crate::{Poison, PoisonReason};

/// Gives the spans of a protobuf record fresh identities and times without decoding it: every trace id (links' too) is
/// xored with `trace_mask`, every span id with `span_mask`, and every time is moved by `shift_ns` (wrapping, so a
/// negative shift is its two's complement). Relations between spans stay what they were. Works in place; ids and times
/// that are not there stay away.
///
/// # Errors
/// The record is damaged; some of it may have been changed.
pub fn restamp(payload: &mut [u8], trace_mask: u128, span_mask: u64, shift_ns: u64) -> Result<(), Poison> {
    let stamp = Stamp { trace_mask, span_mask, shift_ns };
    stamp.message(payload, Level::Request).map_err(|(reason, at_byte)| Poison {
        reason,
        at_byte,
        detail: String::new(),
    })
}

struct Stamp {
    trace_mask: u128,
    span_mask: u64,
    shift_ns: u64,
}

#[derive(Clone, Copy)]
enum Level {
    Request,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
}

impl Stamp {
    fn message(&self, bytes: &mut [u8], level: Level) -> Result<(), (PoisonReason, usize)> {
        let mut at = 0;
        while at < bytes.len() {
            let located = |damage: Damage| (damage.reason, at);
            let mut wire = Wire(&bytes[at..]);
            let tag = wire.tag().map_err(located)?;
            let mut value = wire;
            wire.skip(tag, 0).map_err(located)?;
            let end = bytes.len() - wire.0.len();
            // Of a length-delimited field the content, of any other the value.
            let content =
                if tag & 7 == 2 { value.bytes().map_err(located)?.len() } else { value.0.len() - wire.0.len() };
            let start = end - content;
            let inner = &mut bytes[start..end];
            match (level, tag) {
                (Level::Request, 0x0a) => self.nested(inner, start, Level::ResourceSpans)?,
                (Level::ResourceSpans, 0x12) => self.nested(inner, start, Level::ScopeSpans)?,
                (Level::ScopeSpans, 0x12) => self.nested(inner, start, Level::Span)?,
                (Level::Span, 0x5a) => self.nested(inner, start, Level::Event)?,
                (Level::Span, 0x6a) => self.nested(inner, start, Level::Link)?,
                (Level::Span | Level::Link, 0x0a) => self.trace(inner),
                (Level::Span | Level::Link, 0x12) | (Level::Span, 0x22) => self.span(inner),
                (Level::Span, 0x39 | 0x41) | (Level::Event, 0x09) => self.time(inner),
                _ => {}
            }
            at = end;
        }
        Ok(())
    }

    fn nested(&self, inner: &mut [u8], start: usize, level: Level) -> Result<(), (PoisonReason, usize)> {
        self.message(inner, level).map_err(|(reason, at)| (reason, at + start))
    }

    fn trace(&self, id: &mut [u8]) {
        if let Ok(id) = <&mut [u8; 16]>::try_from(id)
            && *id != [0; 16]
        {
            *id = (u128::from_be_bytes(*id) ^ self.trace_mask).to_be_bytes();
        }
    }

    fn span(&self, id: &mut [u8]) {
        if let Ok(id) = <&mut [u8; 8]>::try_from(id)
            && *id != [0; 8]
        {
            *id = (u64::from_be_bytes(*id) ^ self.span_mask).to_be_bytes();
        }
    }

    fn time(&self, time: &mut [u8]) {
        if let Ok(time) = <&mut [u8; 8]>::try_from(time)
            && *time != [0; 8]
        {
            *time = u64::from_le_bytes(*time).wrapping_add(self.shift_ns).to_le_bytes();
        }
    }
}
