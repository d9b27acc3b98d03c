//! The walker over OTLP metrics in protobuf: borrowed, of fixed depth.
//!
//! Field numbers: opentelemetry/proto/metrics/v1/metrics.proto and common/v1/common.proto.

use super::meaning::{Meaning, meaning};
use super::point::{Numbers, Sink, Temporality};
use crate::Oddity;
use crate::read::draft::{Slots, Val};
use crate::read::proto::{any_value, key_value};
use crate::read::wire::{Damage, Wire, fields};
use model::stable_hash;

/// Reads a request.
pub(super) fn request<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_, 'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => resource_metrics(wire.message()?, slots, sink)?,
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

fn resource_metrics<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_, 'a>) -> Result<(), Damage> {
    // The resource may stand after its metrics.
    let mut first = wire;
    sink.attributes.clear();
    while !first.is_empty() {
        match first.tag()? {
            0x0a => attributes(first.message()?, 1, sink)?,
            tag => first.skip(tag, fields(&[1]))?,
        }
    }
    sink.resource(slots).map_err(|reason| wire.damage(reason))?;
    while !wire.is_empty() {
        match wire.tag()? {
            0x12 => scope_metrics(wire.message()?, slots, sink)?,
            tag => wire.skip(tag, fields(&[2]))?,
        }
    }
    Ok(())
}

/// The attributes of a message that has them under `number`.
fn attributes<'a>(mut wire: Wire<'a>, number: u32, sink: &mut Sink<'_, 'a>) -> Result<(), Damage> {
    while !wire.is_empty() {
        let tag = wire.tag()?;
        if tag == number << 3 | 2 {
            let (name, value) = key_value(wire.message()?)?;
            match any_value(value)? {
                Some(Val::Other) => sink.work.oddities.count(Oddity::AttributeValue),
                Some(value) => sink.attribute(name, value),
                None => {}
            }
        } else {
            wire.skip(tag, fields(&[number]))?;
        }
    }
    Ok(())
}

fn scope_metrics<'a>(mut wire: Wire<'a>, slots: &mut Slots<'a>, sink: &mut Sink<'_, 'a>) -> Result<(), Damage> {
    let mut first = wire;
    let mut scope = 0;
    while !first.is_empty() {
        match first.tag()? {
            0x0a => scope = stable_hash(first.bytes()?),
            tag => first.skip(tag, fields(&[1]))?,
        }
    }
    while !wire.is_empty() {
        match wire.tag()? {
            0x12 => metric(wire.message()?, scope, slots, sink)?,
            tag => wire.skip(tag, fields(&[2]))?,
        }
    }
    Ok(())
}

fn metric<'a>(mut wire: Wire<'a>, scope: u64, slots: &mut Slots<'a>, sink: &mut Sink<'_, 'a>) -> Result<(), Damage> {
    let (mut name, mut unit) = (&[][..], &[][..]);
    let mut data: Option<(Wire<'a>, Form)> = None;
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => name = wire.bytes()?,
            0x1a => unit = wire.bytes()?,
            0x2a | 0x3a => data = Some((wire.message()?, Form::Number)),
            0x4a => data = Some((wire.message()?, Form::Histogram { attributes_at: 9 })),
            0x52 => data = Some((wire.message()?, Form::Histogram { attributes_at: 1 })),
            tag => wire.skip(tag, fields(&[1, 3, 5, 7, 9, 10]))?,
        }
    }
    match (meaning(name, unit), data) {
        (Some(meaning), Some((data, form))) => points(data, form, (name, scope), meaning, slots, sink),
        _ => Ok(()),
    }
}

/// What the points of a metric are: those of gauges and sums, or of histograms of either kind.
#[derive(Clone, Copy)]
enum Form {
    Number,
    Histogram { attributes_at: u32 },
}

fn points<'a>(
    mut wire: Wire<'a>,
    form: Form,
    stream: (&[u8], u64),
    meaning: Meaning,
    slots: &mut Slots<'a>,
    sink: &mut Sink<'_, 'a>,
) -> Result<(), Damage> {
    let mut first = wire;
    let mut temporality = Temporality::Gauge;
    while !first.is_empty() {
        match first.tag()? {
            0x10 => temporality = Temporality::of(first.varint()?),
            tag => first.skip(tag, fields(&[2]))?,
        }
    }
    while !wire.is_empty() {
        match wire.tag()? {
            0x0a => {
                let message = wire.message()?;
                sink.attributes.clear();
                let found = match form {
                    Form::Number => number_point(message, sink)?,
                    Form::Histogram { attributes_at } => histogram_point(message, attributes_at, sink)?,
                };
                sink.point(stream, meaning, temporality, found, slots).map_err(|reason| message.damage(reason))?;
            }
            tag => wire.skip(tag, fields(&[1]))?,
        }
    }
    Ok(())
}

fn number_point<'a>(whole: Wire<'a>, sink: &mut Sink<'_, 'a>) -> Result<Numbers, Damage> {
    attributes(whole, 7, sink)?;
    let mut wire = whole;
    let mut numbers = Numbers::default();
    while !wire.is_empty() {
        match wire.tag()? {
            0x11 => numbers.start_ns = wire.fixed64()?,
            0x19 => numbers.end_ns = wire.fixed64()?,
            0x21 => numbers.value = Some(f64::from_bits(wire.fixed64()?)),
            0x31 => numbers.value = Some(wire.fixed64()? as i64 as f64),
            0x40 => numbers.flags = wire.varint()?,
            tag => wire.skip(tag, fields(&[2, 3, 4, 6, 8]))?,
        }
    }
    Ok(numbers)
}

/// Explicit and exponential histograms have the fields that are read under the same numbers, but for the attributes.
fn histogram_point<'a>(whole: Wire<'a>, attributes_at: u32, sink: &mut Sink<'_, 'a>) -> Result<Numbers, Damage> {
    attributes(whole, attributes_at, sink)?;
    let mut wire = whole;
    let mut numbers = Numbers { count: Some(0), ..Numbers::default() };
    while !wire.is_empty() {
        match wire.tag()? {
            0x11 => numbers.start_ns = wire.fixed64()?,
            0x19 => numbers.end_ns = wire.fixed64()?,
            0x21 => numbers.count = Some(wire.fixed64()?),
            0x29 => numbers.sum = f64::from_bits(wire.fixed64()?),
            0x50 => numbers.flags = wire.varint()?,
            tag => wire.skip(tag, fields(&[2, 3, 4, 5, 10]))?,
        }
    }
    Ok(numbers)
}
