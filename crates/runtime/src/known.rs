//! The engine as the log has it: the newest usable snapshot and the journal after it, with effects muted. Pure: journal
//! entries in, the engine's state out.

use crate::guarded::guarded;
use crate::journal::Whole;
use crate::scribe::hex;
use crate::snapshot::Manifest;
use engine::{Engine, EngineConfig, Input};

/// An engine, and how far in the journal it has come.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) engine: Engine,
    /// Where the last journal record that is in it lies.
    pub(crate) journal_at: Option<(i32, i64)>,
    /// The index of the next journal entry.
    pub(crate) next_index: u64,
    /// Journal entries taken in since the snapshot.
    pub(crate) replayed: u64,
    config: EngineConfig,
}

impl Known {
    /// Nothing is known yet; the journal is to be read from its beginning.
    pub(crate) fn nothing(config: &EngineConfig) -> Known {
        let (engine, config) = (Engine::new(config.clone()), config.clone());
        Known { engine, journal_at: None, next_index: 0, replayed: 0, config }
    }

    /// What a snapshot says; the journal is to be read from after it.
    pub(crate) fn from_snapshot(config: &EngineConfig, manifest: &Manifest, engine: Engine) -> Known {
        let (journal_at, next_index) = (Some(manifest.journal_at), manifest.journal_index);
        Known { engine, journal_at, next_index, replayed: 0, config: config.clone() }
    }

    /// Takes the next journal entry in. Its effects are in the log already. Entry 0 is the configuration of an engine that
    /// knew nothing: the first owner's, or one that could not use what was before.
    ///
    /// # Errors
    /// The entry cannot be taken; what is known cannot go on from here.
    pub(crate) fn take(&mut self, whole: &Whole) -> Result<(), String> {
        let index = whole.header.index;
        let input = whole.input().map_err(|error| error.to_string())?;
        if let (0, Input::Config(config)) = (index, &input) {
            *self = Known { config: self.config.clone(), ..Known::nothing(config) };
        }
        if index != self.next_index {
            return Err(format!("the journal goes on with entry {index} where {} should be", self.next_index));
        }
        self.verify(whole)?;
        let engine = &mut self.engine;
        guarded("the engine, following the journal", || drop(engine.apply(&input)))
            .map_err(|panicked| panicked.to_string())?;
        (self.journal_at, self.next_index) = (Some(whole.at), index + 1);
        self.replayed += 1;
        Ok(())
    }

    /// Where the journal says how the state hashed before an entry, it must hash so here too.
    fn verify(&self, whole: &Whole) -> Result<(), String> {
        let (stated, index) = (&whole.header.digest, whole.header.index);
        if stated.is_empty() || *stated == hex(self.engine.digest()) {
            return Ok(());
        }
        Err(format!("before journal entry {index} the state does not hash to what its owner wrote down"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Entry;
    use control::JournalHeader;

    fn whole(index: u64, now_ms: u64, digest: String) -> Whole {
        entry(index, &Input::Tick { now_ms }, digest)
    }

    fn entry(index: u64, input: &Input, digest: String) -> Whole {
        let bytes = Entry::of(input, None, 0).expect("plain data").input;
        let header = JournalHeader { index, digest, ..JournalHeader::default() };
        Whole { at: (0, index as i64 * 2), header, bytes }
    }

    fn known(ticks: u64) -> Known {
        let mut known = Known::nothing(&EngineConfig::default());
        (0..ticks).for_each(|index| known.take(&whole(index, index, String::new())).expect("in order"));
        known
    }

    #[test]
    fn entries_are_taken_in_order_and_a_gap_is_told() {
        let mut known = known(3);
        assert_eq!((known.next_index, known.replayed, known.journal_at), (3, 3, Some((0, 4))));
        let gap = known.take(&whole(4, 9, String::new())).expect_err("entry 3 is missing");
        assert!(gap.contains("entry 4 where 3"), "{gap}");
        known.take(&whole(3, 9, String::new())).expect("in order");
    }

    #[test]
    fn entry_zero_begins_anew() {
        let mut known = known(3);
        let config = EngineConfig { edges_max: 7, ..EngineConfig::default() };
        let beginning = Input::Config(Box::new(config.clone()));
        known.take(&entry(0, &beginning, String::new())).expect("a new beginning");
        let mut fresh = Engine::new(config);
        drop(fresh.apply(&beginning));
        assert_eq!((known.next_index, known.engine.digest()), (1, fresh.digest()));
    }

    #[test]
    fn a_digest_that_differs_is_an_error() {
        let mut known = known(3);
        known.take(&whole(3, 9, hex(known.engine.digest()))).expect("the same state");
        assert!(known.take(&whole(4, 9, hex([7; 32]))).is_err());
    }
}
