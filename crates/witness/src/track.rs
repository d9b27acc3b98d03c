//! One service or edge: its seconds, by the spans and by the metrics, and what is known of it.

use crate::SECOND_NS;
use crate::block::{Bias, Block, Failures, Verdict};
use crate::operations::Operations;
use crate::sheet::{BLOCK_S, Sheet, block_of};
use model::{Count, NameId, Producer, WitnessRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long after a block's end it is judged at least, beyond the longest interval of the metrics: they are sent on their way
/// some seconds later.
const LAG_S: u64 = 5;
/// Blocks behind an estimate of the share.
const BLOCKS: u32 = 10;
/// A bias is believed for so long after the last block that showed it.
const BIASED_FOR_S: u64 = 300;
/// What was found is believed for so long.
const KNOWN_FOR_S: u64 = 300;
/// What is older than this is not compared any more.
pub(crate) const KEPT_S: u64 = 300;

/// How much was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls.
    pub calls: Count,
    /// Of these, failed ones.
    pub failed: Count,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.failed += other.failed;
    }
}

/// A subject's blocks and what came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    operations: Operations,
    /// What was counted in blocks that are not judged yet.
    sheets: BTreeMap<u64, Sheet>,
    /// The end of the last block that was taken, and the longest interval of the metrics, seconds.
    taken_s: u64,
    interval_s: u64,
    heard_s: u64,
    /// The blocks behind the share: by the spans, and by the metrics.
    kept: Count,
    said: Count,
    blocks: u32,
    /// The failures in them.
    failures: Failures,
    judged_s: u64,
    /// The last block: by the spans, and by the metrics.
    seen: Tally,
    last: Tally,
    /// The metrics are not those of all who serve.
    partial: bool,
    biased: Option<(u64, Bias)>,
}

/// What the metrics let know of a service or an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Calls per second, as the producer counted them.
    pub rate_rps: f64,
    /// Failed ones as a share.
    pub error_share: f64,
    /// How much of the calls the spans show; `None` where they show all of them, or nobody can say.
    pub share: Option<f64>,
    /// Nothing can be concluded from the number of spans.
    pub bias: Option<Bias>,
}

impl Known {
    /// What there is to say, in words; `None` where spans and metrics agree.
    pub fn text(&self) -> Option<String> {
        let share = self.share.unwrap_or(1.0) * 100.0;
        match self.bias {
            Some(bias) => Some(format!("metrics say: {} ({share:.1} % of the calls have spans)", bias.as_str())),
            None => {
                self.share.map(|_| format!("metrics say: {share:.1} % of the calls have spans; counts are corrected"))
            }
        }
    }
}

fn group(producer: Producer) -> usize {
    match producer {
        Producer::Http | Producer::Rpc | Producer::Host => 0,
        Producer::SpanMetrics | Producer::ServiceGraph => 1,
        Producer::Envoy | Producer::Istio | Producer::Linkerd => 2,
    }
}

impl Track {
    /// Spreads the row over the seconds that its interval covers.
    pub(crate) fn hear(&mut self, row: &WitnessRow) {
        let length_ns = row.end_ns - row.start_ns;
        let (first, last) = (row.start_ns / SECOND_NS + 1, row.end_ns.div_ceil(SECOND_NS));
        self.interval_s = self.interval_s.max(last + 1 - first);
        self.heard_s = self.heard_s.max(last);
        if self.taken_s == 0 {
            // Spans were not counted before: the first block is the one after this interval.
            self.taken_s = last.next_multiple_of(BLOCK_S);
        }
        for at in (first..=last).filter(|at| *at > self.taken_s) {
            let from_ns = ((at - 1) * SECOND_NS).max(row.start_ns);
            let covered_ns = at.saturating_mul(SECOND_NS).min(row.end_ns) - from_ns;
            let part = |calls: u64| {
                let whole = u128::from(Count::of(calls).0) * u128::from(covered_ns) / u128::from(length_ns);
                Count(u64::try_from(whole).unwrap_or(u64::MAX))
            };
            let said = Tally { calls: part(row.calls), failed: part(row.failed) };
            self.sheets.entry(block_of(at)).or_default().say(at, group(row.producer), said);
        }
    }

    /// Are the row's calls of a kind that spans show at all?
    pub(crate) fn is_traced(&self, row: &WitnessRow) -> bool {
        self.operations.are_with(row.operation)
    }

    /// Metrics tell of this operation.
    pub(crate) fn meet(&mut self, operation: NameId) {
        self.operations.meet(operation);
    }

    /// Spans show this operation.
    pub(crate) fn know(&mut self, operation: NameId) {
        self.operations.know(operation);
    }

    /// Counts what spans showed of the second that ends at `now_s`; once for each second.
    pub(crate) fn see(&mut self, now_s: u64, seen: Tally, spans: u64) {
        if now_s > self.taken_s {
            self.sheets.entry(block_of(now_s)).or_default().see(seen, spans);
        }
    }

    /// Judges every block that is complete, of which nothing more is to be expected; if this is the `end`, nothing is.
    pub(crate) fn judge(&mut self, now_s: u64, end: bool) {
        let behind_s = if end { 0 } else { self.interval_s + LAG_S };
        if self.taken_s > 0 && now_s > self.taken_s + KEPT_S {
            // After a gap in the windows nothing is left to compare.
            self.taken_s = (now_s - KEPT_S).next_multiple_of(BLOCK_S);
            self.sheets = self.sheets.split_off(&block_of(self.taken_s + 1));
        }
        while self.taken_s > 0 && now_s >= self.taken_s + BLOCK_S + behind_s {
            let sheet = self.sheets.remove(&block_of(self.taken_s + 1));
            self.taken_s += BLOCK_S;
            if let Some(block) = sheet.and_then(|sheet| sheet.block()) {
                self.found(&block);
            }
        }
    }

    fn found(&mut self, block: &Block) {
        let at_s = self.taken_s;
        let verdict = block.judge(self.share());
        match verdict {
            Verdict::Nothing => return,
            Verdict::Partial | Verdict::Agree => self.begin(&Block::default(), 0),
            Verdict::Share => {
                if self.blocks >= BLOCKS {
                    let Failures { expected, seen } = self.failures;
                    self.failures = Failures { expected: half(expected), seen: half(seen) };
                    (self.kept, self.said, self.blocks) = (half(self.kept), half(self.said), self.blocks / 2);
                }
                self.kept += block.seen.calls;
                self.said += block.said.calls;
                self.failures.add(block.failures());
                self.blocks += 1;
            }
            Verdict::Biased(bias) => {
                self.biased = Some((at_s, bias));
                self.begin(block, 1);
            }
        }
        self.judged_s = at_s;
        (self.seen, self.last, self.partial) = (block.seen, block.said, verdict == Verdict::Partial);
    }

    /// What was known of the share is not so any more.
    fn begin(&mut self, block: &Block, blocks: u32) {
        (self.kept, self.said, self.blocks) = (block.seen.calls, block.said.calls, blocks);
        self.failures = Failures::default();
    }

    /// The failures behind the share.
    pub(crate) fn failures(&self) -> Failures {
        self.failures
    }

    fn share(&self) -> Option<f64> {
        (self.blocks > 0 && !self.said.is_zero()).then(|| self.kept.calls() / self.said.calls())
    }

    /// What is known now, where `proven` says that samplers keep failures as they keep successes elsewhere; `None` before the
    /// first block, after a long silence, and where the metrics are not all.
    pub(crate) fn known(&self, now_s: u64, proven: bool) -> Option<Known> {
        if self.judged_s == 0 || self.judged_s + KNOWN_FOR_S < now_s || self.partial {
            return None;
        }
        let recent = self.biased.filter(|(at_s, _)| at_s + BIASED_FOR_S >= now_s);
        let share = self.share();
        let proven = if self.failures.are_many() { self.failures.prove() } else { proven };
        let unproven = (share.is_some() && !proven).then_some(Bias::Unproven);
        Some(Known {
            rate_rps: self.last.calls.calls() / BLOCK_S as f64,
            error_share: self.last.failed.share_of(self.last.calls).unwrap_or(0.0),
            share,
            bias: recent.map(|(_, bias)| bias).or(unproven),
        })
    }

    /// Both counts of the last block, if one was judged.
    pub(crate) fn compared(&self) -> Option<(Tally, Tally)> {
        (self.judged_s > 0).then_some((self.seen, self.last))
    }

    pub(crate) fn is_forgotten(&self, now_s: u64) -> bool {
        self.heard_s + 2 * KEPT_S < now_s
    }
}

fn half(count: Count) -> Count {
    Count(count.0 / 2)
}
