//! What a signature looks at: one window, the graph and what was learned, all after taking in that window.

use graph::Graph;
use learn::Learner;
use model::{Rollup, Window};

/// One window's scene.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The decision domain: a part of each finding's id.
    pub domain: &'a str,
    /// The window: its rows say how instances and versions fared.
    pub window: &'a Window,
    /// The same, rolled up.
    pub rollup: &'a Rollup<'a>,
    /// The graph, with this window in it.
    pub graph: &'a Graph,
    /// What was learned, with this window judged.
    pub learner: &'a Learner,
    /// What time it is, Unix milliseconds; 0 where nobody has said.
    pub now_ms: u64,
}

impl Scene<'_> {
    /// The share of the window's spans that came after their own window had closed, 0..1.
    pub(crate) fn late(&self) -> f64 {
        let (late, spans) = (self.window.late, self.window.spans);
        if spans == 0 { 0.0 } else { (late as f64 / spans as f64).min(1.0) }
    }

    /// How long after its end the window is settled, milliseconds.
    pub(crate) fn behind_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.rollup.end_ms())
    }
}
