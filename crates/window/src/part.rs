//! One shard's share of a window.

use crate::rows::{EdgeAcc, FailedBucket, Open, Pool, Ranked, Route, Table};
use model::{Count, EdgeKey, EdgeRow, NameId, ServiceRow, Window};
use serde::{Deserialize, Serialize};

/// One shard's share of a closed window: its rows, and what only the [`crate::Merger`] can turn into facts (addresses
/// still to be resolved, durations of failed calls, ranks of exemplars). Plain data: it may cross a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub(crate) window: Window,
    /// One for each row in `window.edges`, in the same order.
    pub(crate) hints: Vec<EdgeHint>,
    /// What paired calls taught, sorted.
    pub(crate) routes: Vec<Route>,
    pub(crate) side: SidePart,
}

/// What sidecars counted in the place of the services beside them: it counts where those emit no spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SidePart {
    pub(crate) services: Vec<ServiceRow>,
    pub(crate) edges: Vec<EdgeRow>,
    /// One for each row in `edges`, in the same order.
    pub(crate) hints: Vec<EdgeHint>,
    /// Sidecars behind which the service's own spans were seen, sorted.
    pub(crate) carried: Vec<NameId>,
    /// Whom calls went to whose other half is a sidecar's, sorted.
    pub(crate) routes: Vec<Route>,
}

/// What an edge row lacks until all shards' shares are together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EdgeHint {
    pub(crate) exemplars: Vec<Ranked>,
    pub(crate) failed: Vec<FailedBucket>,
    pub(crate) said_timeout_us: u64,
    /// Of its calls without the callee's half, those that a sidecar of the callee answered.
    pub(crate) answered_aside: Count,
}

impl Part {
    /// The window's end, Unix nanoseconds.
    pub fn end_ns(&self) -> u64 {
        self.window.end_ns
    }

    /// The rows as this shard alone saw them: unpaired calls not yet resolved, no exemplars, no timeouts.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// A window in which nothing ended.
    pub(crate) fn empty(end_ns: u64, width_ns: u64) -> Part {
        let window = Window { end_ns, width_ns, completeness_permille: 1000, ..Window::default() };
        Part { window, ..Part::default() }
    }

    /// The rows of an open window, sorted; its accumulators are empty afterwards, but for their keys.
    pub(crate) fn close(end_ns: u64, width_ns: u64, open: &mut Open, pool: &mut Pool) -> Part {
        let mut part = Part::empty(end_ns, width_ns);
        let window = &mut part.window;
        (window.spans, window.late, window.folded) = (open.spans, open.late, open.folded);
        window.services = open.services.in_order(|key, row| row.close(key, pool)).collect();
        window.flows = open.flows.in_order(|key, row| row.close(key)).collect();
        window.local = open.steps.in_order(|key, row| row.close(key)).collect();
        (window.edges, part.hints) = edges(&mut open.edges, pool);
        part.side.services = open.side.services.in_order(|key, row| row.close(key, pool)).collect();
        (part.side.edges, part.side.hints) = edges(&mut open.side.edges, pool);
        part.side.carried = open.side.carried.iter().copied().collect();
        part.side.routes = open.side.routes.iter().copied().collect();
        part.routes = open.routes.iter().copied().collect();
        part.routes.sort_unstable();
        part
    }
}

/// The rows of edges, sorted, with their hints.
fn edges(table: &mut Table<EdgeKey, EdgeAcc>, pool: &mut Pool) -> (Vec<EdgeRow>, Vec<EdgeHint>) {
    let mut hints = Vec::with_capacity(table.len());
    let rows = table.in_order(|key, row| {
        hints.push(EdgeHint {
            exemplars: row.exemplars().to_vec(),
            failed: row.failed().to_vec(),
            said_timeout_us: row.said_timeout_us(),
            answered_aside: row.answered_aside,
        });
        row.close(key, pool)
    });
    (rows.collect(), hints)
}
