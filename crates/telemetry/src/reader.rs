//! A record's bytes to facts.

use crate::{Encoding, Facts, Poison, ReaderConfig};

/// Reads records one after the other; remembers names and operations, so one per source thread.
pub struct Reader {
    _config: ReaderConfig,
}

impl Reader {
    /// A reader that has announced no name yet.
    pub fn new(config: ReaderConfig) -> Reader {
        Reader { _config: config }
    }

    /// Reads a record and appends its spans to `out`. Returns how many (copies for links not counted).
    ///
    /// # Errors
    /// The record is poison: nothing was appended to `out`.
    #[allow(clippy::todo)]
    pub fn read(&mut self, _encoding: Encoding, _payload: &[u8], _out: &mut Facts) -> Result<usize, Poison> {
        todo!()
    }
}
