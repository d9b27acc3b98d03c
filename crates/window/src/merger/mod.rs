//! The merger: the parts of all shards become one window.
//!
//! Everything it adds (resolved peers, timeouts, exemplars, completeness) is a function of the merged rows, so the result
//! depends neither on the order of the pushes nor on the number of shards.

mod edges;
mod routes;
mod silent;
#[cfg(test)]
mod tests;

use crate::Part;
use crate::part::SidePart;
use crate::rows::Plain;
use edges::Edges;
use hashbrown::HashSet;
use model::{FlowRow, LocalRow, Named, ServiceRow, Window};
use routes::Routes;
use silent::Silent;
use std::collections::BTreeMap;

/// Bounds of a [`Merger`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergerConfig {
    /// The length of a window, nanoseconds; the same as the shards'.
    pub width_ns: u64,
    /// Windows without spans that are given after one with spans; a longer gap is skipped.
    pub empty_max: u32,
    /// Learned routes (whom an address stands for) that are kept.
    pub routes_max: usize,
    /// Names remembered as announced; past it all are announced again.
    pub names_max: usize,
}

impl Default for MergerConfig {
    fn default() -> Self {
        MergerConfig { width_ns: 1_000_000_000, empty_max: 3600, routes_max: 65_536, names_max: 262_144 }
    }
}

/// Merges the shards' parts by (window end, row key).
#[derive(Debug)]
pub struct Merger {
    config: MergerConfig,
    closed_ns: Vec<u64>,
    pending: BTreeMap<u64, Vec<Part>>,
    routes: Routes,
    silent: Silent,
    announced: HashSet<u64, Plain>,
    /// Late and all spans of recent windows, in 1/1024, decaying by an eighth per window.
    recent: (u64, u64),
    /// The end of the last window that was given, and how many empty ones that makes in a row.
    given: Option<(u64, u32)>,
}

impl Merger {
    /// For this many shards, with default bounds.
    pub fn new(shards: usize) -> Merger {
        Merger::with(shards, MergerConfig::default())
    }

    /// For this many shards.
    pub fn with(shards: usize, config: MergerConfig) -> Merger {
        Merger {
            config: MergerConfig { width_ns: config.width_ns.max(1), ..config },
            closed_ns: vec![0; shards.max(1)],
            pending: BTreeMap::new(),
            routes: Routes::new(config.routes_max),
            silent: Silent::new(config.routes_max),
            announced: HashSet::with_hasher(Plain),
            recent: (0, 0),
            given: None,
        }
    }

    /// `shard` has closed everything up to `closed_until_ns` and these are its parts. Gives the windows that all shards
    /// have now closed, ascending, each end once. A shard that is not one of ours is ignored.
    pub fn push(&mut self, shard: usize, parts: Vec<Part>, closed_until_ns: u64) -> Vec<Window> {
        let Some(closed_ns) = self.closed_ns.get_mut(shard) else { return Vec::new() };
        *closed_ns = (*closed_ns).max(closed_until_ns);
        for part in parts {
            // Empty windows are made anew below, the same however many shards there are.
            if !part.is_empty() {
                self.pending.entry(part.end_ns()).or_default().push(part);
            }
        }
        let all_closed_ns = self.closed_ns.iter().copied().min().unwrap_or(0);
        let mut windows = Vec::new();
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() <= all_closed_ns) {
            let (end_ns, parts) = entry.remove_entry();
            self.give_empty(end_ns - self.config.width_ns, &mut windows);
            windows.push(self.merge(end_ns, parts));
            self.given = Some((end_ns, 0));
        }
        self.give_empty(all_closed_ns, &mut windows);
        windows
    }

    fn give_empty(&mut self, until_ns: u64, windows: &mut Vec<Window>) {
        let width_ns = self.config.width_ns;
        while let Some((last_ns, empty)) =
            self.given.filter(|(last_ns, empty)| last_ns + width_ns <= until_ns && *empty < self.config.empty_max)
        {
            windows.push(self.merge(last_ns + width_ns, Vec::new()));
            self.given = Some((last_ns + width_ns, empty + 1));
        }
    }

    fn merge(&mut self, end_ns: u64, parts: Vec<Part>) -> Window {
        let mut window = Window { end_ns, width_ns: self.config.width_ns, ..Window::default() };
        let (mut services, mut flows, mut edges) = (Vec::new(), Vec::new(), Edges::default());
        let mut local = Vec::new();
        let (mut routes, mut sides) = (Vec::new(), Vec::new());
        for part in parts {
            let share = part.window;
            window.spans += share.spans;
            window.late += share.late;
            window.folded += share.folded;
            window.names.extend(share.names);
            services.push(share.services);
            flows.push(share.flows);
            local.push(share.local);
            edges.add(share.edges, part.hints);
            routes.extend(part.routes);
            sides.push(part.side);
        }
        self.silent.learn(end_ns, services.iter().flatten(), &sides);
        for side in sides {
            routes.extend(side.routes.iter().filter(|route| self.silent.is(end_ns, route.callee)));
            let (rows, sidecars, hints) = self.silent.only(end_ns, side);
            if !rows.is_empty() {
                services.push(rows);
            }
            edges.add(sidecars, hints);
        }
        window.services = merged(services, |row: &ServiceRow| row.key, add_service);
        window.flows = merged(flows, |row: &FlowRow| row.key, add_flow);
        window.local = merged(local, |row: &LocalRow| (row.service, row.operation), add_local);
        routes.sort_unstable();
        self.routes.learn(end_ns, &routes, &window.services);
        let (routes, silent, end) = (&self.routes, &self.silent, end_ns);
        window.edges = edges.close(
            |key| routes.resolve(end, key),
            |key| routes.taken(end, key),
            |service| silent.is(end, service),
        );
        self.announce(&mut window.names);
        window.completeness_permille = self.completeness(window.spans, window.late);
        window
    }

    /// Each name once per run, sorted.
    fn announce(&mut self, names: &mut Vec<Named>) {
        names.sort_unstable();
        names.dedup_by(|next, kept| next.id == kept.id);
        if self.announced.len() + names.len() > self.config.names_max {
            self.announced.clear();
        }
        names.retain(|named| self.announced.insert(named.id.0));
    }

    /// The share of recent spans that came in time, in 1/1000: what a window lacks at its close is about what came late to
    /// those before it.
    fn completeness(&mut self, spans: u64, late: u64) -> u16 {
        let (recent_late, recent_spans) = self.recent;
        let fold = |recent: u64, new: u64| (recent - recent.div_ceil(8)).saturating_add(new.saturating_mul(1024));
        self.recent = (fold(recent_late, late), fold(recent_spans, spans));
        let (late, spans) = (u128::from(self.recent.0), u128::from(self.recent.1));
        let missing = (late * 1000).checked_div(spans).unwrap_or(0);
        1000 - missing.min(1000) as u16
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        let window = &self.window;
        window.spans == 0
            && window.names.is_empty()
            && window.services.is_empty()
            && window.edges.is_empty()
            && window.flows.is_empty()
            && window.local.is_empty()
            && self.side == SidePart::default()
    }
}

/// Rows of several lists in one, sorted by key, equal keys added up.
fn merged<R, K: Ord>(mut lists: Vec<Vec<R>>, key: impl Fn(&R) -> K, add: impl Fn(&mut R, &R)) -> Vec<R> {
    if lists.len() == 1 {
        return lists.pop().unwrap_or_default();
    }
    let mut rows: Vec<R> = lists.into_iter().flatten().collect();
    rows.sort_by_key(|row| key(row));
    rows.dedup_by(|next, kept| {
        let same = key(next) == key(kept);
        if same {
            add(kept, next);
        }
        same
    });
    rows
}

fn add_service(kept: &mut ServiceRow, next: &ServiceRow) {
    kept.calls += next.calls;
    kept.entries += next.entries;
    kept.failures.iter_mut().zip(next.failures).for_each(|(sum, more)| *sum += more);
    kept.duration.merge(&next.duration);
    kept.exclusive.merge(&next.exclusive);
    kept.busy_us = kept.busy_us.saturating_add(next.busy_us);
    kept.wasted += next.wasted;
    kept.lost += next.lost;
    kept.criticality.iter_mut().zip(next.criticality).for_each(|(sum, more)| *sum += more);
    kept.unweighted += next.unweighted;
    kept.spans += next.spans;
}

fn add_local(kept: &mut LocalRow, next: &LocalRow) {
    kept.calls += next.calls;
    kept.failed += next.failed;
}

fn add_flow(kept: &mut FlowRow, next: &FlowRow) {
    kept.requests += next.requests;
    kept.good += next.good;
    kept.visits.extend_from_slice(&next.visits);
    kept.visits.sort_unstable_by_key(|visit| visit.0);
    kept.visits.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}
