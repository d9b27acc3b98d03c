//! Why a record cannot be read at all.

use std::fmt;

/// A record that cannot be read: nothing of it was taken. It belongs on the dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Why.
    pub reason: PoisonReason,
    /// Where in the payload, as near as is known, in bytes from its start.
    pub at_byte: usize,
    /// What the parser said, where a parser was asked.
    pub detail: String,
}

/// The kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoisonReason {
    /// More bytes than `payload_bytes_max`.
    TooLarge,
    /// More spans than `spans_max`.
    TooManySpans,
    /// Metrics: more data points than `spans_max`.
    TooManyPoints,
    /// More resources than `resources_max`.
    TooManyResources,
    /// Protobuf: a field ends after its message does.
    Truncated,
    /// Protobuf: a number of more than ten bytes, or over 64 bits.
    Varint,
    /// Protobuf: a tag with field number zero or over 2^29.
    Tag,
    /// Protobuf: a wire type that does not exist, a group, or another one than the field's.
    WireType,
    /// JSON: not UTF-8.
    Utf8,
    /// JSON: not JSON, or not the shape of its format.
    Json,
    /// None of the formats that are read.
    NotOtlp,
}

impl PoisonReason {
    /// The label under which it is counted, and the dead letter's `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            PoisonReason::TooLarge => "too_large",
            PoisonReason::TooManySpans => "too_many_spans",
            PoisonReason::TooManyPoints => "too_many_points",
            PoisonReason::TooManyResources => "too_many_resources",
            PoisonReason::Truncated => "truncated",
            PoisonReason::Varint => "varint",
            PoisonReason::Tag => "tag",
            PoisonReason::WireType => "wire_type",
            PoisonReason::Utf8 => "utf8",
            PoisonReason::Json => "json",
            PoisonReason::NotOtlp => "not_otlp",
        }
    }

    fn explained(self) -> &'static str {
        match self {
            PoisonReason::TooLarge => {
                "the record is larger than payload_bytes_max; raise it or let the exporter send less"
            }
            PoisonReason::TooManySpans => {
                "the record has more spans than spans_max; raise it or lower the exporter's batch"
            }
            PoisonReason::TooManyPoints => {
                "the record has more data points than spans_max; raise it or lower the exporter's batch"
            }
            PoisonReason::TooManyResources => "the record has more resources than resources_max; raise it",
            PoisonReason::Truncated => {
                "a field is longer than the message around it; the record was cut or is not OTLP protobuf"
            }
            PoisonReason::Varint => "a number does not end; the record is damaged or is not OTLP protobuf",
            PoisonReason::Tag => "a field's number is out of range; the record is damaged or is not OTLP protobuf",
            PoisonReason::WireType => {
                "a field has the wrong wire type; the record is damaged or is not OTLP traces protobuf"
            }
            PoisonReason::Utf8 => "the text is not UTF-8; the record is damaged or is not OTLP/JSON",
            PoisonReason::Json => {
                "the JSON is broken or has not the shape of its format; check the exporter's encoding"
            }
            PoisonReason::NotOtlp => {
                "neither OTLP, Jaeger nor Zipkin, in protobuf or JSON; check the topic and the exporter's encoding"
            }
        }
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at byte {}: {}", self.at_byte, self.reason.explained())?;
        if !self.detail.is_empty() {
            write!(out, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Poison {}
