//! Which encoding a record has, by its first bytes; and the prefix of a schema registry taken off.

use super::wire::Wire;
use crate::Encoding;

/// Confluent's wire format: a zero, and the schema's id in four bytes, big-endian.
const PREFIX_BYTES: usize = 5;
/// A protobuf schema's message indexes, as many as a sane schema nests.
const INDEXES_MAX: u64 = 16;

/// The payload without the prefix of a schema registry, and its encoding ([`Encoding::Auto`] only if it is neither).
pub(crate) fn detect(encoding: Encoding, payload: &[u8]) -> (Encoding, &[u8]) {
    // Zero is no legal first byte of OTLP in either encoding: field numbers begin at 1.
    let body = match payload {
        [0, ..] if payload.len() >= PREFIX_BYTES => &payload[PREFIX_BYTES..],
        _ => return (told_apart(encoding, payload), payload),
    };
    if encoding == Encoding::Auto && (begins_as_json(body) || begins_as_list(body)) {
        return (json_of(body), body);
    }
    let is_text = matches!(encoding, Encoding::OtlpJson | Encoding::JaegerJson | Encoding::ZipkinJson);
    let body = if is_text { body } else { without_indexes(body) };
    (if encoding == Encoding::Auto { proto_of(body) } else { encoding }, body)
}

fn told_apart(encoding: Encoding, payload: &[u8]) -> Encoding {
    if encoding != Encoding::Auto {
        return encoding;
    }
    match payload {
        [] => Encoding::OtlpProto,
        // A line feed is also the tag of `resource_spans`; a text that begins with one hardly ever has protobuf's
        // framing.
        [b'\n', ..] if (begins_as_json(payload) || begins_as_list(payload)) && !is_framed(payload) => json_of(payload),
        [b'\n', ..] => proto_of(payload),
        _ if begins_as_json(payload) || begins_as_list(payload) => json_of(payload),
        _ if is_framed(payload) => Encoding::OtlpProto,
        _ => Encoding::Auto,
    }
}

fn begins_as_json(payload: &[u8]) -> bool {
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    payload.trim_ascii_start().first() == Some(&b'{')
}

/// A list of objects: only Zipkin's JSON is one.
fn begins_as_list(payload: &[u8]) -> bool {
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let inside = payload.trim_ascii_start().strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| matches!(inside.first(), Some(b'{' | b']')))
}

/// Which JSON: a list is Zipkin's; of objects the first key tells.
fn json_of(payload: &[u8]) -> Encoding {
    const JAEGER: [&[u8]; 6] = [b"traceId", b"spanId", b"operationName", b"spans", b"process", b"references"];
    if begins_as_list(payload) {
        return Encoding::ZipkinJson;
    }
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let inside = payload.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let key =
        inside.and_then(|inside| inside.strip_prefix(b"\"")).and_then(|key| key.split(|byte| *byte == b'"').next());
    if key.is_some_and(|key| JAEGER.contains(&key)) { Encoding::JaegerJson } else { Encoding::OtlpJson }
}

/// Which protobuf. A Jaeger span begins with its ids; in lists the sixth field of a span tells: Jaeger's start is a message,
/// Zipkin's a fixed number, and OTLP's `ResourceSpans` has none.
fn proto_of(payload: &[u8]) -> Encoding {
    const JAEGER_START: u32 = 6 << 3 | 2;
    const ZIPKIN_START: u32 = 6 << 3 | 1;
    if super::jaeger::is_span(payload) {
        return Encoding::JaegerProto;
    }
    let mut wire = Wire(payload);
    let first = match wire.tag() {
        Ok(0x0a) => wire.message(),
        _ => return Encoding::OtlpProto,
    };
    let Ok(mut span) = first else { return Encoding::OtlpProto };
    // Both begin with an id; a resource of OTLP may have that length, but no sixth field follows it.
    if !matches!(span.0, [0x0a, 8 | 16, ..]) {
        return Encoding::OtlpProto;
    }
    while !span.is_empty() {
        match span.tag() {
            Ok(JAEGER_START) => return Encoding::JaegerProto,
            Ok(ZIPKIN_START) => return Encoding::ZipkinProto,
            Ok(tag) if span.skip(tag, 0).is_ok() => {}
            _ => break,
        }
    }
    Encoding::OtlpProto
}

/// Is this a protobuf message whose only length-delimited fields are messages in turn, two levels down?
fn is_framed(payload: &[u8]) -> bool {
    let mut wire = Wire(payload);
    while !wire.is_empty() {
        let Ok(tag) = wire.tag() else { return false };
        if tag == 0x0a {
            let Ok(mut resource_spans) = wire.message() else { return false };
            while !resource_spans.is_empty() {
                let framed = resource_spans.tag().and_then(|tag| resource_spans.skip(tag, 0));
                if framed.is_err() {
                    return false;
                }
            }
        } else if wire.skip(tag, 0).is_err() {
            return false;
        }
    }
    true
}

/// Takes a protobuf schema's message indexes off: one zero for the first message, or their count and as many numbers,
/// all zigzag. Some writers leave them out.
fn without_indexes(body: &[u8]) -> &[u8] {
    match body {
        [0, rest @ ..] => rest,
        [b'\n', ..] | [] => body,
        _ => {
            let mut wire = Wire(body);
            let count = wire.varint().unwrap_or(0) >> 1;
            if !(1..=INDEXES_MAX).contains(&count) {
                return body;
            }
            match (0..count).all(|_| wire.varint().is_ok()) {
                true => wire.0,
                false => body,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart_by_their_first_bytes() {
        let pretty = b"\n{\n  \"resourceSpans\": []\n}";
        let mut like_json = vec![0x0a, 0x7b, 0x12, 0x79];
        like_json.extend([0x0a; 0x79]);
        for (payload, encoding, begins) in [
            (&b"{\"resourceSpans\":[]}"[..], Encoding::OtlpJson, b'{'),
            (b"\xef\xbb\xbf {}", Encoding::OtlpJson, 0xef),
            (pretty, Encoding::OtlpJson, b'\n'),
            (&like_json, Encoding::OtlpProto, 0x0a),
            (b"\x0a\x00", Encoding::OtlpProto, 0x0a),
            (b"\x00\x00\x00\x00\x07{}", Encoding::OtlpJson, b'{'),
            (b"\x00\x00\x00\x00\x07\x00\x0a\x00", Encoding::OtlpProto, 0x0a),
            (b"\x00\x00\x00\x00\x07\x02\x04\x0a\x00", Encoding::OtlpProto, 0x0a),
            (b"\x00\x00\x00\x00\x07\x0a\x00", Encoding::OtlpProto, 0x0a),
            (b"[{\"traceId\":1}]", Encoding::ZipkinJson, b'['),
            (b" [ ]", Encoding::ZipkinJson, b' '),
            (b"{\"traceId\":\"AA==\"}", Encoding::JaegerJson, b'{'),
            (b"{ \"spans\": []}", Encoding::JaegerJson, b'{'),
            (b"[1,2]", Encoding::Auto, b'['),
            (b"hello", Encoding::Auto, b'h'),
        ] {
            let (found, body) = detect(Encoding::Auto, payload);
            assert_eq!((found, body.first()), (encoding, Some(&begins)), "{payload:?}");
        }
        assert_eq!(detect(Encoding::Auto, b"").0, Encoding::OtlpProto, "an empty message is legal");
        assert_eq!(detect(Encoding::OtlpJson, b"\x00\x00\x00\x00\x07{}").1, b"{}");
    }
}
