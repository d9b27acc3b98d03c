//! A block of event time, judged: do the spans and the metrics tell the same?

use crate::track::Tally;
use model::Count;
use serde::{Deserialize, Serialize};

/// How much of both was counted in a block, and how the spans were spread over its seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// By the spans, weighted.
    pub(crate) seen: Tally,
    /// Spans behind them.
    pub(crate) spans: u64,
    /// By the metrics.
    pub(crate) said: Tally,
    /// Seconds in it, and the sum of the squares of the spans in each.
    pub(crate) seconds: u64,
    pub(crate) squares: u64,
}

/// Why nothing can be concluded from the number of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bias {
    /// Failures are kept by another share than successes.
    Errors,
    /// The share of what is kept moves.
    Unsteady,
    /// Spans come more evenly than any share of the calls would: a limiter lets so many through.
    Limited,
    /// Spans are a share of the calls, but too few failures were counted to tell whether these are kept by the same one: a
    /// sampler that keeps what fails looks like this until something does.
    Unproven,
}

impl Bias {
    /// Why, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Bias::Errors => "failures are kept by another share than successes",
            Bias::Unsteady => "the share of calls that is kept moves",
            Bias::Limited => "spans come as evenly as a rate limiter lets them through",
            Bias::Unproven => "too few calls have failed yet to tell whether failures are kept by the same share",
        }
    }
}

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Too little was counted.
    Nothing,
    /// The metrics count less than the spans: not all who serve export metrics, so they say nothing about sampling.
    Partial,
    /// Both tell the same.
    Agree,
    /// Spans are a share of the calls.
    Share,
    /// They cannot be reconciled.
    Biased(Bias),
}

/// Calls said in a block before it is judged, and spans seen.
const CALLS_MIN: f64 = 50.0;
/// Failures among the spans to be expected before they prove anything.
const FAILURES_MIN: f64 = 10.0;
/// What may differ although nothing is left out: intervals do not end where seconds do.
const SLACK: f64 = 0.05;
/// How many standard deviations are no accident.
const SIGMAS: f64 = 4.0;
/// A share that moves by less is the same share.
const MOVES: f64 = 0.25;
/// Spans per second below which evenness says nothing.
const EVEN_MIN: f64 = 4.0;
/// Thinning at random leaves a variance of the mean times what is dropped; this part of it is no accident any more.
const EVEN: f64 = 0.2;

impl Block {
    /// Judges the block; `before` is the share that was kept before, where it is known.
    pub(crate) fn judge(&self, before: Option<f64>) -> Verdict {
        let (said, spans) = (self.said.calls.calls(), self.spans as f64);
        if said < CALLS_MIN || spans < 1.0 {
            return Verdict::Nothing;
        }
        let share = self.seen.calls.calls() / said;
        let noise = SIGMAS / spans.sqrt();
        if share > 1.0 + SLACK + noise {
            return Verdict::Partial;
        }
        if share >= 1.0 - SLACK - noise && share >= 0.5 {
            return Verdict::Agree;
        }
        if !self.failures().fit() {
            return Verdict::Biased(Bias::Errors);
        }
        if before.is_some_and(|before| (share / before - 1.0).abs() > MOVES + noise) {
            return Verdict::Biased(Bias::Unsteady);
        }
        let mean = spans / self.seconds.max(1) as f64;
        let variance = self.squares as f64 / self.seconds.max(1) as f64 - mean * mean;
        if mean >= EVEN_MIN && variance < EVEN * mean * (1.0 - share) {
            return Verdict::Biased(Bias::Limited);
        }
        Verdict::Share
    }

    /// The failures among its spans. In spans, not in weighted calls: only they are counted one by one.
    pub(crate) fn failures(&self) -> Failures {
        let (said, spans) = (self.said.calls.calls(), self.spans as f64);
        let weight = self.seen.calls.calls() / spans;
        let expected = spans * (self.said.failed.calls() / said).min(1.0);
        Failures { expected: whole(expected), seen: whole(self.seen.failed.calls() / weight) }
    }
}

/// In 1/1024, as everything that is kept.
fn whole(number: f64) -> Count {
    Count((number * 1024.0) as u64)
}

/// Spans of failures: as many as there would be if failures were kept by the same share as successes, and those that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failures {
    pub(crate) expected: Count,
    pub(crate) seen: Count,
}

impl Failures {
    pub(crate) fn add(&mut self, other: Failures) {
        self.expected += other.expected;
        self.seen += other.seen;
    }

    /// Are there as many as there would be, as far as chance lets tell?
    fn fit(self) -> bool {
        let (expected, seen) = (self.expected.calls(), self.seen.calls());
        (seen - expected).abs() <= SIGMAS * (expected + 1.0).sqrt() + 0.2 * expected
    }

    /// Are there enough of them to tell?
    pub(crate) fn are_many(self) -> bool {
        self.expected.calls() >= FAILURES_MIN
    }

    /// Is it proven that failures are kept by the same share as successes?
    pub(crate) fn prove(self) -> bool {
        self.are_many() && self.fit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of 30 s in which so many of 100 calls a second are kept, and of 5 failures.
    fn block(calls: u64, failed: u64, even: bool) -> Block {
        let spans = calls * 30;
        let spread = if even { 0 } else { spans };
        Block {
            seen: tally(spans, failed * 30),
            spans,
            said: tally(3000, 150),
            seconds: 30,
            squares: calls * calls * 30 + spread,
        }
    }

    fn tally(calls: u64, failed: u64) -> Tally {
        Tally { calls: Count::of(calls), failed: Count::of(failed) }
    }

    #[test]
    fn a_block_agrees_is_a_share_or_is_biased_for_a_reason() {
        for (block, before, wanted) in [
            (block(100, 5, false), None, Verdict::Agree),
            (block(97, 5, false), None, Verdict::Agree),
            (block(140, 5, false), None, Verdict::Partial),
            (block(20, 1, false), None, Verdict::Share),
            (block(20, 1, false), Some(0.21), Verdict::Share),
            (block(20, 1, false), Some(0.6), Verdict::Biased(Bias::Unsteady)),
            (block(20, 5, false), None, Verdict::Biased(Bias::Errors)),
            (block(20, 1, true), None, Verdict::Biased(Bias::Limited)),
            (Block { said: tally(10, 0), ..block(20, 1, false) }, None, Verdict::Nothing),
        ] {
            assert_eq!(block.judge(before), wanted, "{block:?}");
        }
    }
}
