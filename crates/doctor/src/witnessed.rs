//! What services counted themselves, beside what their spans show.

use crate::seen::CountedSeen;
use model::{NameId, Window, WitnessRow};
use std::collections::BTreeMap;
use telemetry::{Encoding, Measured, MetricsReader, Poison, ReaderConfig};
use witness::Witness;

const SECOND_NS: u64 = 1_000_000_000;
/// Rows that end so long after the last span tell of it too: intervals of metrics are long.
const AFTER_NS: u64 = 120 * SECOND_NS;

/// Both witnesses, as the windows pass.
pub(crate) struct Witnessed {
    reader: MetricsReader,
    /// What was counted, by the end of the interval: it is heard as the windows pass.
    waiting: BTreeMap<u64, Vec<WitnessRow>>,
    witness: Witness,
    end_ns: u64,
}

impl Witnessed {
    pub(crate) fn new(config: ReaderConfig) -> Witnessed {
        let (waiting, witness) = (BTreeMap::new(), Witness::default());
        Witnessed { reader: MetricsReader::new(config), waiting, witness, end_ns: 0 }
    }

    pub(crate) fn read(&mut self, encoding: Encoding, payload: &[u8]) -> Result<Measured, Poison> {
        let mut measured = Measured::default();
        self.reader.read(encoding, payload, &mut measured)?;
        for row in WitnessRow::gathered(&measured.rows) {
            self.waiting.entry(row.end_ns).or_default().push(row);
        }
        Ok(measured)
    }

    pub(crate) fn pass(&mut self, window: &Window) {
        self.hear(window.end_ns);
        self.end_ns = window.end_ns;
        if !self.witness.is_silent() {
            self.witness.correct(window);
        }
    }

    /// No more windows come that have to do with those before. What was found, by service; nothing where there was too little
    /// to compare.
    pub(crate) fn end(&mut self) -> BTreeMap<NameId, Option<CountedSeen>> {
        self.hear(self.end_ns.saturating_add(AFTER_NS));
        self.witness.settle();
        let witness = std::mem::take(&mut self.witness);
        self.end_ns = 0;
        let found = |(service, counts): (NameId, Option<(witness::Tally, witness::Tally)>)| {
            let known = witness.service(service);
            (service, counts.map(|(seen, said)| CountedSeen { seen, said, known }))
        };
        witness.compared().map(found).collect()
    }

    fn hear(&mut self, until_ns: u64) {
        let later = self.waiting.split_off(&until_ns.saturating_add(1));
        let rows: Vec<WitnessRow> = std::mem::replace(&mut self.waiting, later).into_values().flatten().collect();
        self.witness.hear(&rows, self.end_ns);
    }
}
