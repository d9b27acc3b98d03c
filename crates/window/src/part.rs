//! One shard's share of a window.

use crate::part::hints::Hints;
use model::Window;
use serde::{Deserialize, Serialize};

/// One shard's share of a closed window: its rows, and what only the [`crate::Merger`] can turn into facts (addresses
/// still to be resolved, durations of failed calls, ranks of exemplars). Plain data: it may cross a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub(crate) window: Window,
    pub(crate) hints: Hints,
}

impl Part {
    /// The window's end, Unix nanoseconds.
    pub fn end_ns(&self) -> u64 {
        self.window.end_ns
    }

    /// The rows as this shard alone saw them.
    pub fn window(&self) -> &Window {
        &self.window
    }
}

pub(crate) mod hints {
    //! Placeholder until rows carry hints.
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Hints;
}
