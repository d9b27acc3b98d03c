//! Tags of Jaeger and Zipkin: what OpenTelemetry's translators write for fields that those formats do not have, and
//! attributes under their own names.
//!
//! opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin and …/compatibility/jaeger: `span.kind`, `otel.status_code`,
//! `otel.status_description`, `w3c.tracestate`, `otel.scope.name`, `error`, `otlp.link.N`.

use super::draft::{Draft, Link, Slots, Val};
use super::key::{Key, key};
use super::sink::Sink;
use crate::reduce::scope_name;
use model::SpanFlags;

const STATUS_OK: i32 = 1;
const STATUS_ERROR: i32 = 2;

/// What tags have said that no attribute holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tags {
    /// What the scope says of the span.
    pub(crate) marks: SpanFlags,
    /// Tags met, for the budget.
    met: usize,
}

/// What the tag `error` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorTag {
    /// It is a flag, as Jaeger's.
    Flag,
    /// It is there where the span failed, and its text says how, as Zipkin's.
    Message,
}

impl Tags {
    /// Takes a tag of a span.
    pub(crate) fn take<'a>(
        &mut self,
        name: &[u8],
        value: Val<'a>,
        error: ErrorTag,
        draft: &mut Draft,
        slots: &mut Slots<'a>,
        sink: &mut Sink<'_>,
    ) {
        let fits = sink.attribute_fits(self.met);
        self.met += 1;
        if !fits {
            return;
        }
        let said = slots.resolve(value).unwrap_or_default();
        match name {
            b"span.kind" => draft.kind = kind_named(said).unwrap_or(draft.kind),
            b"otel.status_code" if said.eq_ignore_ascii_case(b"ERROR") => draft.status = STATUS_ERROR,
            b"otel.status_code" if said.eq_ignore_ascii_case(b"OK") => draft.status = STATUS_OK,
            b"otel.status_description" if !said.is_empty() => slots.put(Key::StatusMessage, value),
            b"w3c.tracestate" if !said.is_empty() => slots.put(Key::TraceState, value),
            b"otel.scope.name" | b"otel.library.name" => self.marks = self.marks.with(scope_name(said)),
            b"error" if error == ErrorTag::Message => {
                if !said.eq_ignore_ascii_case(b"false") {
                    draft.status = STATUS_ERROR;
                }
                let words = !matches!(said, b"" | b"true" | b"false");
                if words && slots.text(Key::StatusMessage).is_none() {
                    slots.put(Key::StatusMessage, value);
                }
            }
            _ if name.starts_with(b"otlp.link.") => {
                let link = link(said);
                sink.link(link);
            }
            _ => {
                if let Some(key) = key(name)
                    && value != Val::Other
                {
                    slots.put(key, value);
                }
            }
        }
    }
}

/// OpenTelemetry's number of a kind that is named as OpenTracing and Zipkin do.
pub(crate) fn kind_named(name: &[u8]) -> Option<i32> {
    const KINDS: [&[u8]; 6] = [b"unspecified", b"internal", b"server", b"client", b"producer", b"consumer"];
    KINDS.iter().position(|kind| name.eq_ignore_ascii_case(kind)).and_then(|at| i32::try_from(at).ok())
}

/// `trace|span|state|attributes|dropped`.
fn link(text: &[u8]) -> Link {
    let mut parts = text.split(|byte| *byte == b'|');
    let mut id = || parts.next().map_or(0, hex);
    Link { trace: id(), id: id() as u64 }
}

/// An id of up to 32 hex digits; zero if it is none.
pub(crate) fn hex(digits: &[u8]) -> u128 {
    if digits.is_empty() || digits.len() > 32 {
        return 0;
    }
    let digit = |value: u128, byte: &u8| Some(value << 4 | u128::from(char::from(*byte).to_digit(16)?));
    digits.iter().try_fold(0, digit).unwrap_or(0)
}

/// An id of 8 or 16 bytes as a number; any other length is zero. Zipkin's and old Jaeger's trace ids may have 8.
pub(crate) fn trace_of_bytes(bytes: &[u8]) -> u128 {
    match bytes.len() {
        16 => super::draft::trace_id(bytes),
        8 => u128::from(super::draft::span_id(bytes)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_every_width_and_kinds_in_every_case() {
        assert_eq!(hex(b"0123456789abcdef0123456789ABCDEF"), 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(hex(b"ff"), 255);
        assert_eq!((hex(b""), hex(b"xyz"), hex(&[b'1'; 33])), (0, 0, 0));
        assert_eq!((kind_named(b"CLIENT"), kind_named(b"server"), kind_named(b"else")), (Some(3), Some(2), None));
        assert_eq!(trace_of_bytes(&[0, 0, 0, 0, 0, 0, 0, 7]), 7);
        let link = link(b"000000000000000000000000000000aa|00000000000000bb||{}|0");
        assert_eq!((link.trace, link.id), (0xaa, 0xbb));
    }
}
