//! Reading the journal: the engine's inputs, in their order, put together from their pieces.

use crate::draft::Entry;
use crate::scribe::PIECE_HEADER;
use engine::Input;
use kafka::TailRecord;

/// A journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "journal record at {partition}/{offset} cannot be decoded ({why}): it was written by another version of the program"
)]
pub struct JournalError {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// What the decoder said.
    pub why: String,
}

/// The inputs of a domain among committed records of the journal topic, in the topic's order.
///
/// # Errors
/// The first input that cannot be decoded.
pub fn journal_inputs(records: Vec<TailRecord>, domain: &str) -> Result<Vec<Input>, JournalError> {
    let decode = |(partition, offset, bytes): (i32, i64, Vec<u8>)| {
        let why = |error: postcard::Error| JournalError { partition, offset, why: error.to_string() };
        Entry::decode(&bytes).map_err(why)
    };
    whole_inputs(records, domain).into_iter().map(decode).collect()
}

/// The bytes of each input, and where its first piece lies.
pub(crate) fn whole_inputs(records: Vec<TailRecord>, domain: &str) -> Vec<(i32, i64, Vec<u8>)> {
    let mut inputs: Vec<(i32, i64, Vec<u8>)> = Vec::new();
    for record in records.into_iter().filter(|record| record.key.as_deref() == Some(domain.as_bytes())) {
        let piece = record.headers.iter().find(|(name, _)| name == PIECE_HEADER);
        let goes_on = piece.is_some_and(|(_, at)| !at.starts_with(b"1/"));
        let value = record.value.unwrap_or_default();
        match inputs.last_mut().filter(|_| goes_on) {
            Some((_, _, input)) => input.extend(value),
            None => inputs.push((record.partition, record.offset, value)),
        }
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, input: &[u8], piece: Option<&str>) -> TailRecord {
        let headers = piece.map(|piece| (PIECE_HEADER.to_owned(), piece.as_bytes().to_vec())).into_iter().collect();
        TailRecord {
            offset,
            key: Some(b"shop".to_vec()),
            value: Some(input.to_vec()),
            headers,
            ..TailRecord::default()
        }
    }

    #[test]
    fn pieces_are_put_together_and_other_domains_left_out() {
        let tick = Entry::of(&Input::Tick { now_ms: 300 }, None).expect("plain data").input;
        let (head, tail) = tick.split_at(1);
        let foreign = TailRecord { key: Some(b"other".to_vec()), ..record(2, &[255], None) };
        let records = vec![record(0, &tick, None), record(1, head, Some("1/2")), foreign, record(3, tail, Some("2/2"))];
        assert_eq!(journal_inputs(records, "shop"), Ok(vec![Input::Tick { now_ms: 300 }, Input::Tick { now_ms: 300 }]));
    }

    #[test]
    fn damage_is_named_by_its_place() {
        let broken = journal_inputs(vec![record(7, &[255, 255], None)], "shop");
        assert_eq!(broken.map_err(|error| error.offset), Err(7));
    }
}
