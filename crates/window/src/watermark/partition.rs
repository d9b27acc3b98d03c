//! One partition: its newest end, its exporters' lateness, its grace and its watermark.
//!
//! Everything here depends on the order within the partition alone.

use super::lateness::Lateness;
use super::{Admit, WatermarkConfig};
use crate::tick::Tick;
use crate::{Grace, Patience};
use model::NameId;

const MS: u64 = 1_000_000;
/// How often (event time) the grace is judged anew.
const JUDGE_NS: u64 = 1000 * MS;
/// How often (event time) what was measured counts half.
const HALVE_NS: u64 = 60_000 * MS;
/// Nothing is believed of the lateness before this much event time has passed, at the start since the last new exporter.
const LEARN_NS: u64 = 10_000 * MS;
/// The start: until so much event time has passed, and with it what a tail sampler holds back for 30 s has been seen. An
/// exporter that comes later is not waited for before it is known.
const START_NS: u64 = 35_000 * MS;
/// The longest that the other half of a call is waited for, at the start too: a tail sampler's 30 s, and half as much again.
const PATIENCE_MS: u64 = 45_000;
/// Spans of an exporter before its lateness counts apart, or one in so many of all.
const SIGNIFICANT: u64 = 20;
const SHARE: u64 = 50;
/// Spans that must agree on a far jump when there is no arrival time to judge it by.
const CONFIRM: u32 = 3;

/// A jump far ahead that has not been confirmed.
#[derive(Clone, Copy, Debug, Default)]
struct Jump {
    end_ns: u64,
    spans: u32,
}

/// A partition's event time.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// The newest believed end; zero while nothing was heard.
    newest_ns: u64,
    watermark_ns: u64,
    grace_ms: u32,
    patience: Patience,
    /// Sorted by name; few, and a finger on the last one used: spans of one exporter come together.
    exporters: Vec<(NameId, Lateness)>,
    finger: usize,
    rest: Lateness,
    jump: Option<Jump>,
    first_ns: u64,
    /// When an exporter was new, the last time.
    new_ns: u64,
    judged_ns: u64,
    halved_ns: u64,
    pub(super) idle: bool,
}

impl Partition {
    pub(super) fn new(grace: Grace, width_ns: u64) -> Partition {
        let mut new = Partition {
            newest_ns: 0,
            watermark_ns: 0,
            grace_ms: match grace {
                Grace::Auto { max_ms, .. } => max_ms,
                Grace::Fixed { grace_ms } => grace_ms,
            },
            patience: Patience::default(),
            exporters: Vec::new(),
            finger: 0,
            rest: Lateness::new(),
            jump: None,
            first_ns: 0,
            new_ns: 0,
            judged_ns: 0,
            halved_ns: 0,
            idle: false,
        };
        new.be_patient(PATIENCE_MS, width_ns);
        new
    }

    pub(super) fn grace_ms(&self) -> u32 {
        self.grace_ms
    }

    /// How long the other halves of calls are waited for, beyond the grace.
    #[inline]
    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    /// Halves come so late.
    fn be_patient(&mut self, late_ms: u64, width_ns: u64) {
        let beyond_ms = late_ms.min(PATIENCE_MS).saturating_sub(u64::from(self.grace_ms));
        self.patience = Patience(u8::try_from(beyond_ms * MS / width_ns).unwrap_or(u8::MAX / 2));
    }

    /// Everything before it is closed on this partition; `None` while nothing was heard.
    pub(super) fn watermark_ns(&self) -> Option<u64> {
        (self.newest_ns > 0).then_some(self.watermark_ns)
    }

    /// The newest end, with a jump that at least two spans agree on, or that is all there is.
    pub(super) fn newest_ns(&self) -> u64 {
        let jumped = self.jump.filter(|jump| jump.spans > 1 || self.newest_ns == 0).map_or(0, |jump| jump.end_ns);
        self.newest_ns.max(jumped)
    }

    /// What others have closed is closed here too: the partition was idle meanwhile.
    pub(super) fn catch_up(&mut self, low_ns: u64) {
        self.watermark_ns = self.watermark_ns.max(low_ns);
    }

    #[inline]
    pub(super) fn observe(
        &mut self,
        exporter: NameId,
        end_ns: u64,
        arrival_ms: Option<u64>,
        config: &WatermarkConfig,
    ) -> Admit {
        let believed_ns = match self.believe(end_ns, arrival_ms, u64::from(config.jump_ms) * MS) {
            Some(believed_ns) => believed_ns,
            None if arrival_ms.is_some() => return Admit::Future,
            None => return Admit::OnTime,
        };
        // Most spans end after the watermark: that is told without a division.
        let admit = match end_ns < self.watermark_ns {
            false => Admit::OnTime,
            true if end_ns / config.width_ns < self.watermark_ns / config.width_ns => {
                Admit::Late { watermark_ns: self.watermark_ns }
            }
            true => {
                let reached = Tick::of(self.watermark_ns, config.width_ns);
                Admit::Slow { watermark_ns: reached.start_ns(config.width_ns) }
            }
        };
        if self.newest_ns == 0 {
            (self.first_ns, self.judged_ns, self.halved_ns) = (believed_ns, believed_ns, believed_ns);
        }
        self.newest_ns = self.newest_ns.max(believed_ns);
        let late_ms = self.newest_ns.saturating_sub(end_ns) / MS;
        self.lateness(exporter, config.exporters_max).record(late_ms);
        self.watermark_ns = self.watermark_ns.max(self.newest_ns.saturating_sub(u64::from(self.grace_ms) * MS));
        admit
    }

    /// How far a span may advance time: never beyond its arrival; without one, not far at once. `None`: not at all.
    #[inline]
    fn believe(&mut self, end_ns: u64, arrival_ms: Option<u64>, jump_ns: u64) -> Option<u64> {
        if let Some(arrival_ms) = arrival_ms {
            let arrival_ns = (arrival_ms + 1).saturating_mul(MS);
            return (end_ns <= arrival_ns.saturating_add(jump_ns)).then_some(end_ns.min(arrival_ns));
        }
        if end_ns <= self.newest_ns.saturating_add(jump_ns) {
            return Some(end_ns);
        }
        let jump = match self.jump {
            Some(jump) if end_ns.abs_diff(jump.end_ns) <= jump_ns => {
                Jump { end_ns: jump.end_ns.max(end_ns), spans: jump.spans + 1 }
            }
            _ => Jump { end_ns, spans: 1 },
        };
        let confirmed = jump.spans >= if self.newest_ns == 0 { 2 } else { CONFIRM };
        self.jump = (!confirmed).then_some(jump);
        confirmed.then_some(jump.end_ns)
    }

    #[inline]
    fn lateness(&mut self, exporter: NameId, exporters_max: usize) -> &mut Lateness {
        if self.exporters.get(self.finger).is_none_or(|known| known.0 != exporter) {
            match self.exporters.binary_search_by_key(&exporter, |known| known.0) {
                Ok(at) => self.finger = at,
                Err(_) if self.exporters.len() >= exporters_max => return &mut self.rest,
                Err(at) => {
                    self.exporters.insert(at, (exporter, Lateness::new()));
                    (self.finger, self.new_ns) = (at, self.newest_ns);
                }
            }
        }
        &mut self.exporters[self.finger].1
    }

    /// Has enough event time passed to judge the grace anew?
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.newest_ns >= self.judged_ns.saturating_add(JUDGE_NS)
    }

    /// Judges the grace anew. Gives the grace before if it changed.
    #[cold]
    pub(super) fn judge(&mut self, grace: Grace, width_ns: u64) -> Option<u32> {
        self.judged_ns = self.newest_ns;
        let passed_ns = self.newest_ns.saturating_sub(self.first_ns);
        let measured_ms = self.measured_ms();
        self.be_patient(if passed_ns < START_NS { PATIENCE_MS } else { u64::from(measured_ms) }, width_ns);
        if self.newest_ns >= self.halved_ns.saturating_add(HALVE_NS) {
            self.halved_ns = self.newest_ns;
            self.exporters.iter_mut().for_each(|(_, lateness)| lateness.halve());
            self.exporters.retain(|(_, lateness)| lateness.total() > 0);
            self.rest.halve();
        }
        let Grace::Auto { min_ms, max_ms } = grace else { return None };
        let since_new_ns = self.newest_ns.saturating_sub(self.new_ns);
        let measured = passed_ns >= START_NS || since_new_ns >= LEARN_NS;
        let wanted_ms = if measured { measured_ms.clamp(min_ms, max_ms.max(min_ms)) } else { max_ms };
        // Small changes are not worth a line in the journal.
        if wanted_ms.abs_diff(self.grace_ms) * 10 <= self.grace_ms {
            return None;
        }
        Some(std::mem::replace(&mut self.grace_ms, wanted_ms))
    }

    /// The 99th percentile of the slowest significant exporter, and a quarter and 50 ms for what was not seen yet.
    fn measured_ms(&self) -> u32 {
        let all: u64 = self.exporters.iter().map(|(_, lateness)| lateness.total()).sum::<u64>() + self.rest.total();
        // Of few spans each tells something.
        let significant = SIGNIFICANT.min(all.div_ceil(SHARE));
        let slowest = self
            .exporters
            .iter()
            .map(|(_, lateness)| lateness)
            .chain([&self.rest])
            .filter(|lateness| lateness.total() >= significant);
        let p99_ms = slowest.map(|lateness| lateness.quantile_ms(990)).max().unwrap_or(0);
        u32::try_from((p99_ms + p99_ms / 4 + 50).div_ceil(50) * 50).unwrap_or(u32::MAX)
    }
}
