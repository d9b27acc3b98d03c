//! Reading the journal: the engine's inputs, in their order, put together from their pieces.

use crate::draft::Entry;
use crate::scribe::{JOURNAL_FORMAT, PIECE_HEADER};
use control::{JournalHeader, decode_journal_header};
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
    let mut assembly = Assembly::new(domain);
    records.into_iter().filter_map(|record| assembly.push(record)).map(|whole| whole?.input()).collect()
}

/// An input as it stands in the journal, with all its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Where its last piece lies.
    pub(crate) at: (i32, i64),
    pub(crate) header: JournalHeader,
    pub(crate) bytes: Vec<u8>,
}

impl Whole {
    /// The input itself.
    pub(crate) fn input(&self) -> Result<Input, JournalError> {
        let (partition, offset) = self.at;
        Entry::decode(&self.bytes).map_err(|error| JournalError { partition, offset, why: error.to_string() })
    }
}

/// Puts a domain's inputs together, record by record.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    domain: String,
    open: Option<Whole>,
}

impl Assembly {
    pub(crate) fn new(domain: &str) -> Assembly {
        Assembly { domain: domain.to_owned(), open: None }
    }

    /// Takes the next record of the topic. Gives an input when its last piece has come.
    pub(crate) fn push(&mut self, record: TailRecord) -> Option<Result<Whole, JournalError>> {
        if record.key.as_deref() != Some(self.domain.as_bytes()) {
            return None;
        }
        let at = (record.partition, record.offset);
        let failed = |why: String| JournalError { partition: at.0, offset: at.1, why };
        let (piece, pieces) = match place(&record) {
            Some(place) => place,
            None => return Some(Err(failed("which piece of its input it is cannot be read".to_owned()))),
        };
        let record = record.into_record();
        if piece == 1 {
            let header = match decode_journal_header(&record) {
                Ok(header) if header.format == JOURNAL_FORMAT => header,
                Ok(header) => return Some(Err(failed(format!("format {}, not {JOURNAL_FORMAT}", header.format)))),
                Err(error) => return Some(Err(failed(error.to_string()))),
            };
            self.open = Some(Whole { at, header, bytes: record.value });
        } else {
            let open = self.open.as_mut()?;
            open.at = at;
            open.bytes.extend(record.value);
        }
        if piece < pieces { None } else { self.open.take().map(Ok) }
    }
}

/// Which piece of its input a record is, and of how many.
fn place(record: &TailRecord) -> Option<(u32, u32)> {
    let Some((_, place)) = record.headers.iter().find(|(name, _)| name == PIECE_HEADER) else { return Some((1, 1)) };
    let (piece, pieces) = std::str::from_utf8(place).ok()?.split_once('/')?;
    Some((piece.parse().ok()?, pieces.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::journal_record;
    use kafka::Outgoing;

    fn record(offset: i64, domain: &str, input: &[u8], piece: Option<&str>) -> TailRecord {
        let header = JournalHeader { format: JOURNAL_FORMAT, domain: domain.to_owned(), ..JournalHeader::default() };
        let out = Outgoing::of("journal", journal_record(&header, input.to_vec()));
        let mut headers = out.headers;
        headers.extend(piece.map(|piece| (PIECE_HEADER.to_owned(), piece.as_bytes().to_vec())));
        TailRecord { offset, key: out.key, value: out.value, headers, ..TailRecord::default() }
    }

    fn tick() -> Vec<u8> {
        Entry::of(&Input::Tick { now_ms: 300 }, None, 0).expect("plain data").input
    }

    #[test]
    fn pieces_are_put_together_and_other_domains_left_out() {
        let tick = tick();
        let (head, tail) = tick.split_at(1);
        let records = vec![
            record(0, "shop", &tick, None),
            record(1, "shop", head, Some("1/2")),
            record(2, "other", &[255], None),
            record(3, "shop", tail, Some("2/2")),
        ];
        assert_eq!(journal_inputs(records, "shop"), Ok(vec![Input::Tick { now_ms: 300 }, Input::Tick { now_ms: 300 }]));
    }

    #[test]
    fn damage_is_named_by_its_place() {
        let tick = tick();
        let headless = TailRecord { headers: Vec::new(), ..record(7, "shop", &tick, None) };
        for broken in [record(7, "shop", &[255, 255], None), headless, record(7, "shop", &tick, Some("x/y"))] {
            let error = journal_inputs(vec![broken], "shop").expect_err("damaged");
            assert_eq!((error.partition, error.offset), (0, 7), "{error}");
        }
    }

    #[test]
    fn a_piece_without_its_beginning_is_nothing() {
        let late = vec![record(0, "shop", &[1], Some("2/2")), record(1, "shop", &tick(), None)];
        assert_eq!(journal_inputs(late, "shop"), Ok(vec![Input::Tick { now_ms: 300 }]));
    }
}
