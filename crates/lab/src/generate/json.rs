//! Ids and times in OTLP/JSON, changed in place: both have a fixed width.

/// Where something stands that changes from round to round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    at_byte: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Trace,
    Span,
    Time,
}

const KEYS: [(&[u8], What, usize); 5] = [
    (b"\"traceId\":\"", What::Trace, 32),
    (b"\"spanId\":\"", What::Span, 16),
    (b"\"parentSpanId\":\"", What::Span, 16),
    (b"\"startTimeUnixNano\":\"", What::Time, 19),
    (b"\"endTimeUnixNano\":\"", What::Time, 19),
];

/// Finds them all. Text inside a JSON string cannot look like a key, because its quotes are escaped.
pub(super) fn find(json: &[u8], places: &mut Vec<Place>) {
    let quotes = json.iter().enumerate().filter(|(_, byte)| **byte == b'"');
    for (at, _) in quotes {
        for (key, what, width) in KEYS {
            let value = at + key.len();
            if json[at..].starts_with(key) && json.get(value + width) == Some(&b'"') {
                places.push(Place { at_byte: value as u32, what });
            }
        }
    }
}

/// Changes what was found: ids by masks, times by a shift.
pub(super) fn restamp(json: &mut [u8], places: &[Place], trace_mask: u64, span_mask: u64, shift_ns: u64) {
    for place in places {
        let at = place.at_byte as usize;
        match place.what {
            What::Trace => mask_hex(&mut json[at..at + 16], trace_mask),
            What::Span => mask_hex(&mut json[at..at + 16], span_mask),
            What::Time => shift_decimal(&mut json[at..at + 19], shift_ns),
        }
    }
}

fn mask_hex(digits: &mut [u8], mask: u64) {
    for (place, digit) in digits.iter_mut().enumerate() {
        let value = match *digit {
            letter @ b'a'..=b'f' => letter - b'a' + 10,
            letter @ b'A'..=b'F' => letter - b'A' + 10,
            number => number.wrapping_sub(b'0'),
        };
        let masked = (value ^ (mask >> (60 - 4 * place)) as u8) & 15;
        *digit = b"0123456789abcdef"[masked as usize];
    }
}

fn shift_decimal(digits: &mut [u8], shift: u64) {
    let number = digits.iter().fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit & 15)));
    let mut rest = number.wrapping_add(shift);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_masked_and_times_shifted_and_nothing_else_changes() {
        let mut json = br#"{"traceId":"00000000000000ff00000000000000aa","spanId":"0123456789abcdef","parentSpanId":"","startTimeUnixNano":"1750000000999999999","name":"a \"spanId\":\"0123456789abcdef\" b"}"#.to_vec();
        let mut places = Vec::new();
        find(&json, &mut places);
        assert_eq!(places.len(), 3);
        restamp(&mut json, &places, 0xf0, 0xff, 2);
        let wanted = r#"{"traceId":"000000000000000f00000000000000aa","spanId":"0123456789abcd10","parentSpanId":"","startTimeUnixNano":"1750000001000000001","name":"a \"spanId\":\"0123456789abcdef\" b"}"#;
        assert_eq!(String::from_utf8_lossy(&json), wanted);
    }
}
