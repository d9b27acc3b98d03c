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
}
