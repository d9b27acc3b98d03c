//! Streams of points to differences: each interval counted once, whatever the temporality, restarts, repeats and gaps.
//!
//! Rules: opentelemetry.io/docs/specs/otel/metrics/data-model, "Resets and Gaps" and "Cumulative Streams: handling unknown
//! start time". A cumulative point says how much was counted since its start; the difference of two with the same start is
//! what was counted between them, however many points in between are missing.

use super::Tally;
use super::point::{Point, Temporality};
use model::WitnessRow;
use std::collections::BTreeMap;

/// Streams that are remembered at most.
const STREAMS_MAX: usize = 200_000;
/// A stream that was not heard of for so long makes room, in event time.
const STALE_NS: u64 = 15 * 60 * 1_000_000_000;
/// Intervals of a delta stream that are remembered, so that they are told from repeats also out of order.
const REMEMBERED: usize = 4;

/// What is remembered of the streams, by the hash of their identity.
#[derive(Default)]
pub(super) struct Streams {
    known: BTreeMap<u64, Stream>,
    newest_ns: u64,
}

struct Stream {
    start_ns: u64,
    end_ns: u64,
    count: u64,
    duration_us: u64,
    /// The ends of the last intervals of a delta stream.
    ends: [u64; REMEMBERED],
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes a point, and appends what it says that was not known before.
    pub(super) fn take(&mut self, point: Point, rows: &mut Vec<WitnessRow>, tally: &mut Tally) {
        tally.points += 1;
        if point.end_ns == 0 {
            tally.unusable += 1;
            return;
        }
        self.newest_ns = self.newest_ns.max(point.end_ns);
        if point.ended {
            self.known.remove(&point.stream);
            return;
        }
        let Some(count) = point.count else {
            tally.unusable += 1;
            return;
        };
        let Some(known) = self.known.get_mut(&point.stream) else {
            return self.first(&point, count, rows, tally);
        };
        let said = match point.temporality {
            Temporality::Gauge | Temporality::Delta => known.apart(&point).then_some((point.start_ns, 0, 0)),
            Temporality::Cumulative => known.since(&point, count, tally),
        };
        match said {
            Some((start_ns, count_before, duration_before)) => {
                rows.push(point.row(start_ns, count - count_before, point.duration_us.saturating_sub(duration_before)));
            }
            None if point.temporality != Temporality::Cumulative => tally.repeated += 1,
            None => {}
        }
    }

    fn first(&mut self, point: &Point, count: u64, rows: &mut Vec<WitnessRow>, tally: &mut Tally) {
        if self.known.len() >= STREAMS_MAX {
            let since = self.newest_ns.saturating_sub(STALE_NS);
            self.known.retain(|_, stream| stream.end_ns >= since);
            if self.known.len() >= STREAMS_MAX {
                tally.refused += 1;
                return;
            }
        }
        let mut ends = [0; REMEMBERED];
        ends[0] = point.end_ns;
        let stream =
            Stream { start_ns: point.start_ns, end_ns: point.end_ns, count, duration_us: point.duration_us, ends };
        self.known.insert(point.stream, stream);
        let since_start = (1..point.end_ns).contains(&point.start_ns);
        if point.temporality == Temporality::Cumulative && !since_start {
            tally.baselines += 1;
        } else {
            rows.push(point.row(point.start_ns, count, point.duration_us));
        }
    }
}

impl Stream {
    /// Is the interval of this delta point none of the last, and not older than they are?
    fn apart(&mut self, point: &Point) -> bool {
        let oldest = self.ends.iter().copied().min().unwrap_or(0);
        if self.ends.contains(&point.end_ns) || point.end_ns < oldest {
            return false;
        }
        if let Some(place) = self.ends.iter_mut().find(|end| **end == oldest) {
            *place = point.end_ns;
        }
        self.end_ns = self.end_ns.max(point.end_ns);
        true
    }

    /// What is to be subtracted from this cumulative point, and from when it then counts; `None` if it says nothing new.
    fn since(&mut self, point: &Point, count: u64, tally: &mut Tally) -> Option<(u64, u64, u64)> {
        if point.end_ns <= self.end_ns || point.start_ns < self.start_ns {
            tally.repeated += 1;
            return None;
        }
        let restarted = point.start_ns > self.start_ns;
        let fell = count < self.count;
        let before = (self.end_ns, self.count, self.duration_us);
        (self.start_ns, self.end_ns, self.count, self.duration_us) =
            (point.start_ns, point.end_ns, count, point.duration_us);
        if restarted && point.start_ns < point.end_ns {
            Some((point.start_ns, 0, 0))
        } else if fell || restarted {
            tally.resets += 1;
            None
        } else {
            Some(before)
        }
    }
}
