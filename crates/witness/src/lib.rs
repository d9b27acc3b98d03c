//! A second witness: what producers counted themselves (their metrics) against what the spans say.
//!
//! Both are added up per service or edge over blocks of event time. Where they agree nothing happens. Where spans are fewer, by
//! the same share for failures as for successes and from block to block, the sampler is uniform and its share now known: the
//! window's counts are corrected, once enough calls have failed to know that of failures too. Where failures are kept by
//! another share than successes, where the share moves, or where the spans come as evenly as only a limiter lets them through,
//! nothing can be concluded from their number: the edge is biased.

mod block;
mod correct;
mod operations;
mod sheet;
mod track;
mod used;

pub use block::Bias;
pub use track::{Known, Tally};

use block::Failures;
use model::{EdgeKind, NameId, Side, Window, WitnessRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use track::{KEPT_S, Track};
use used::Used;

/// Services and edges that are compared at most; further ones are left alone.
const SUBJECTS_MAX: usize = 20_000;
/// An interval that is longer says nothing of a block.
const INTERVAL_MAX_S: u64 = 120;
/// Rows that lie further ahead of the windows than this are not believed.
const AHEAD_MAX_S: u64 = 600;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// Who is compared: a service by what it served, or an edge (the second name).
type Subject = (NameId, NameId);

/// Everything that was heard, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    tracks: BTreeMap<Subject, Track>,
    /// How much of which resource of a service is in use.
    used: BTreeMap<(NameId, NameId), Used>,
    now_s: u64,
    rows: u64,
    /// Failures are kept by the share of successes: so much is known of all services together. Samplers are rarely a service's
    /// own.
    proven: bool,
}

impl Witness {
    /// Takes what producers counted, after the window that ended at `now_ns`. Before the first window (0) there is neither
    /// anything to compare with nor a time by which rows could be judged: nothing is taken.
    pub fn hear(&mut self, rows: &[WitnessRow], now_ns: u64) {
        self.now_s = now_ns / SECOND_NS;
        let heard = self.now_s.saturating_sub(KEPT_S)..=self.now_s + AHEAD_MAX_S;
        self.used.retain(|_, used| !used.is_old(now_ns / SECOND_NS));
        // Before any is counted: which operations both know does not depend on the order of the rows.
        for row in rows.iter().filter(|row| row.side == Side::Server) {
            if let Some(track) = self.tracks.get_mut(&(row.service, NameId::NONE)) {
                track.meet(row.operation);
            }
        }
        for row in rows {
            self.rows += 1;
            let end_s = row.end_ns.div_ceil(SECOND_NS);
            if self.now_s > 0 && heard.contains(&end_s) {
                match row.used_permille {
                    Some(permille) => self.measure((row.service, row.operation), end_s, permille),
                    None => self.count(row, end_s),
                }
            }
        }
    }

    fn measure(&mut self, whose: (NameId, NameId), end_s: u64, permille: u16) {
        let room = self.used.len() < SUBJECTS_MAX;
        match self.used.get_mut(&whose) {
            Some(used) => used.measure(end_s, permille),
            None if room => self.used.entry(whose).or_default().measure(end_s, permille),
            None => {}
        }
    }

    fn count(&mut self, row: &WitnessRow, end_s: u64) {
        let subject = match row.side {
            Side::Server => (row.service, NameId::NONE),
            // Callers count by addresses: of use where these are the services' names.
            Side::Edge | Side::Client if row.peer != NameId::NONE => (row.service, row.peer),
            Side::Edge | Side::Client => return,
        };
        if row.start_ns >= row.end_ns || end_s - row.start_ns / SECOND_NS > INTERVAL_MAX_S {
            return;
        }
        let room = self.tracks.len() < SUBJECTS_MAX;
        match self.tracks.get_mut(&subject) {
            Some(track) if track.is_traced(row) => track.hear(row),
            Some(_) => {}
            None if room => self.tracks.entry(subject).or_default().hear(row),
            None => {}
        }
    }

    /// Was anything heard that can be compared? If not, windows are what they are.
    pub fn is_silent(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts the window's spans, judges the blocks that are complete, and gives the window as the metrics know it.
    pub fn correct(&mut self, window: &Window) -> Window {
        self.now_s = window.end_ns / SECOND_NS;
        for row in &window.services {
            if let Some(track) = self.tracks.get_mut(&(row.key.service, NameId::NONE)) {
                track.know(row.key.operation);
            }
        }
        for (subject, (seen, spans)) in self.seen(window) {
            if let Some(track) = self.tracks.get_mut(&subject) {
                track.see(self.now_s, seen, spans);
            }
        }
        for track in self.tracks.values_mut() {
            track.judge(self.now_s, false);
        }
        let now_s = self.now_s;
        self.tracks.retain(|_, track| !track.is_forgotten(now_s));
        self.prove();
        correct::window(window, self)
    }

    /// Nothing more comes: judges what there is.
    pub fn settle(&mut self) {
        for track in self.tracks.values_mut() {
            track.judge(self.now_s, true);
        }
        self.prove();
    }

    fn prove(&mut self) {
        let mut failures = Failures::default();
        for (_, track) in self.tracks.iter().filter(|((_, callee), _)| *callee == NameId::NONE) {
            failures.add(track.failures());
        }
        self.proven = failures.prove();
    }

    /// What the window's spans show of those of whom metrics speak.
    fn seen(&self, window: &Window) -> BTreeMap<Subject, (Tally, u64)> {
        let services = window
            .services
            .iter()
            .map(|row| ((row.key.service, NameId::NONE), Tally { calls: row.calls, failed: row.failed() }, row.spans));
        let edges =
            window.edges.iter().filter(|row| row.key.kind == EdgeKind::Call).map(|row| {
                ((row.key.caller, row.key.callee), Tally { calls: row.calls, failed: row.failed() }, row.spans)
            });
        let mut seen: BTreeMap<Subject, (Tally, u64)> = BTreeMap::new();
        for (subject, tally, spans) in services.chain(edges).filter(|(subject, ..)| self.tracks.contains_key(subject)) {
            let sum = seen.entry(subject).or_default();
            sum.0.add(tally);
            sum.1 += spans;
        }
        seen
    }

    /// What is known of a service, if producers counted what it served.
    pub fn service(&self, service: NameId) -> Option<Known> {
        self.known((service, NameId::NONE))
    }

    /// All services of which metrics speak, with both counts of the last half minute, by the spans and by the metrics, where
    /// these could be compared.
    pub fn compared(&self) -> impl Iterator<Item = (NameId, Option<(Tally, Tally)>)> {
        let services = self.tracks.iter().filter(|((_, callee), _)| *callee == NameId::NONE);
        services.map(|((service, _), track)| (*service, track.compared()))
    }

    /// What is known of an edge from those who count edges: meshes, `servicegraph`, callers.
    pub fn counted_edge(&self, caller: NameId, callee: NameId) -> Option<Known> {
        self.known((caller, callee))
    }

    /// What is known of an edge: by those who count edges, else by the callee, else by the caller.
    pub fn edge(&self, caller: NameId, callee: NameId) -> Option<Known> {
        let own = self.counted_edge(caller, callee);
        own.or_else(|| self.service(callee)).or_else(|| self.service(caller))
    }

    /// How much of a resource of the service is in use, 0..1, as a mean of its instances over half a minute.
    pub fn used(&self, service: NameId, resource: NameId) -> Option<f64> {
        self.used.get(&(service, resource)).filter(|used| !used.is_old(self.now_s)).and_then(Used::share)
    }

    fn known(&self, subject: Subject) -> Option<Known> {
        self.tracks.get(&subject).and_then(|track| track.known(self.now_s, self.proven))
    }
}
