//! A second witness: what producers counted themselves (their metrics) against what the spans say.
//!
//! Both are added up per service or edge over blocks of event time. Where they agree nothing happens. Where spans are fewer,
//! by the same share for failures as for successes and from block to block, the sampler is uniform and its share now known:
//! the window's counts are corrected. Where failures are kept by another share than successes, where the share moves, or
//! where the spans come as evenly as only a limiter lets them through, nothing can be concluded from their number: the edge
//! is biased.

mod block;
mod correct;
mod sheet;
mod track;

pub use block::Bias;
pub use track::{Known, Tally};

use model::{EdgeKind, NameId, Side, Window, WitnessRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use track::{KEPT_S, Track};

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
    now_s: u64,
    rows: u64,
}

impl Witness {
    /// Takes what producers counted, after the window that ended at `now_ns`. Before the first window (0) there is neither
    /// anything to compare with nor a time by which rows could be judged: nothing is taken.
    pub fn hear(&mut self, rows: &[WitnessRow], now_ns: u64) {
        self.now_s = now_ns / SECOND_NS;
        let heard = self.now_s.saturating_sub(KEPT_S)..=self.now_s + AHEAD_MAX_S;
        for row in rows {
            self.rows += 1;
            let subject = match row.side {
                Side::Server => (row.service, NameId::NONE),
                Side::Edge => (row.service, row.peer),
                Side::Client => continue,
            };
            let (start_s, end_s) = (row.start_ns / SECOND_NS, row.end_ns.div_ceil(SECOND_NS));
            let of_now = self.now_s > 0 && heard.contains(&end_s);
            if !of_now || row.used_permille.is_some() || row.start_ns >= row.end_ns || end_s - start_s > INTERVAL_MAX_S
            {
                continue;
            }
            let room = self.tracks.len() < SUBJECTS_MAX;
            match self.tracks.get_mut(&subject) {
                Some(track) => track.hear(row),
                None if room => self.tracks.entry(subject).or_default().hear(row),
                None => {}
            }
        }
    }

    /// Was anything ever heard? If not, windows are what they are.
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
        for (subject, (seen, spans)) in self.seen(window) {
            if let Some(track) = self.tracks.get_mut(&subject) {
                track.see(self.now_s, seen, spans);
            }
        }
        for track in self.tracks.values_mut() {
            track.judge(self.now_s);
        }
        let now_s = self.now_s;
        self.tracks.retain(|_, track| !track.is_forgotten(now_s));
        correct::window(window, self)
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
        self.tracks.get(&(service, NameId::NONE)).and_then(|track| track.known(self.now_s))
    }

    /// What is known of an edge: by those who count edges, else by the callee, else by the caller.
    pub fn edge(&self, caller: NameId, callee: NameId) -> Option<Known> {
        let own = self.tracks.get(&(caller, callee)).and_then(|track| track.known(self.now_s));
        own.or_else(|| self.service(callee)).or_else(|| self.service(caller))
    }
}
