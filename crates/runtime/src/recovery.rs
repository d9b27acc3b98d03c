//! The engine's acknowledged state, kept in the process: a snapshot and the inputs after it. When a generation dies, the
//! next engine is made of it, and nothing learned is lost.

use crate::draft::{Draft, Entry};
use crate::guarded::guarded;
use engine::{Engine, EngineConfig};

/// A new snapshot is taken when the inputs after the last one weigh more than this and than twice the snapshot.
const INPUTS_BYTES_MIN: usize = 4 << 20;

/// What is needed to make the engine again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    snapshot: Option<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    inputs_bytes: usize,
    /// Where the last acknowledged journal record lies.
    pub(crate) journal_at: Option<(i32, i64)>,
}

impl Recovery {
    /// These entries are acknowledged.
    pub(crate) fn acknowledged(&mut self, draft: &Draft, journal_at: Option<(i32, i64)>) {
        self.inputs.extend(draft.entries.iter().map(|entry| entry.input.clone()));
        self.inputs_bytes += draft.entries.iter().map(|entry| entry.input.len()).sum::<usize>();
        self.journal_at = journal_at.or(self.journal_at);
    }

    /// Should a snapshot be taken now?
    pub(crate) fn wants_snapshot(&self) -> bool {
        let held = self.snapshot.as_ref().map_or(0, Vec::len);
        self.inputs_bytes > INPUTS_BYTES_MIN.max(2 * held)
    }

    /// The state after everything acknowledged.
    pub(crate) fn set_snapshot(&mut self, snapshot: Vec<u8>) {
        *self = Recovery { snapshot: Some(snapshot), journal_at: self.journal_at, ..Recovery::default() };
    }

    /// The engine as it was after the last acknowledged step and `further` inputs that the journal holds beyond it. An
    /// engine that cannot be made again starts anew: it then knows nothing and acts on nothing until it has learned.
    pub(crate) fn engine(&self, config: &EngineConfig, further: &[Vec<u8>]) -> Engine {
        let restored = guarded("the engine's recovery", || self.restore(config, further));
        restored.map_err(|panicked| panicked.to_string()).and_then(|engine| engine).unwrap_or_else(|why| {
            tracing::warn!(why, "the engine starts without what it had learned");
            Engine::new(config.clone())
        })
    }

    fn restore(&self, config: &EngineConfig, further: &[Vec<u8>]) -> Result<Engine, String> {
        let mut engine = match &self.snapshot {
            Some(snapshot) => Engine::restore(snapshot).map_err(|error| error.to_string())?,
            None => Engine::new(config.clone()),
        };
        for input in self.inputs.iter().chain(further) {
            let input = Entry::decode(input).map_err(|error| error.to_string())?;
            // Muted: the effects of these inputs are in the log already.
            drop(engine.apply(&input));
        }
        Ok(engine)
    }
}
