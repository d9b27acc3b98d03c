//! What does a span stand for? Rates, error shares and capacity rest on it.

use super::{Answer, Question, number, percent, share};
use crate::anatomy::{Method, Ratio};
use crate::seen::{Seen, ServiceSeen};
use crate::{Grade, Remedy, remedy};

/// Shares of spans whose sampler prefers some outcomes.
const BIASED: [f64; 4] = [0.0, 0.001, 0.05, 0.5];
/// Shares of spans whose weight is not known.
const UNWEIGHTED: [f64; 4] = [0.0, 0.01, 0.2, 0.9];

pub(super) fn ask(seen: &Seen) -> Answer {
    let sum = |part: fn(&ServiceSeen) -> u64| seen.services.values().map(part).sum::<u64>();
    let spans = sum(|one| one.spans);
    let (weighted, unweighted, biased) = (sum(|one| one.weighted), sum(|one| one.unweighted), sum(|one| one.biased));
    let stands_for = sum(|one| one.weight) as f64 / 1024.0 / spans.max(1) as f64;
    let marks = &seen.anatomy.marks;
    let mut answer =
        Answer::new(Question::Sampling, Grade::A, "every span stands for itself: nothing says or shows a sampler");
    answer = answer.with("biased_share", share(biased, spans)).with("mean_weight", stands_for);
    if weighted > 0 {
        answer.summary = format!(
            "{} of the spans declare their weight: one stands for {stands_for:.1} on average",
            percent(share(weighted, spans))
        );
        if stands_for >= 100.0 {
            answer.say(Grade::B, "at so few, services with little traffic are seen too seldom to be judged");
        }
    }
    if biased > 0 {
        let grade = Grade::of(share(biased, spans), BIASED);
        answer.summary = format!(
            "{} of the spans come from a sampler that prefers some outcomes (tail or rate-limited)",
            percent(share(biased, spans))
        );
        answer.say(grade, "their edges are shown as biased: no rates, no capacity, no action");
        answer.remedies.push(branch());
    }
    if unweighted > biased {
        let unknown = share(unweighted - biased, spans);
        answer.say(
            Grade::of(unknown, UNWEIGHTED),
            format!("{} of the spans have a weight that cannot be read", percent(unknown)),
        );
    }
    if let Some(ratio) = marks.undeclared {
        answer = answer.with("sampled_share", ratio.share);
        answer.summary = format!(
            "a sampler keeps about {} of the traces and does not say so: rates are {:.1} times too low",
            percent(ratio.share),
            1.0 / ratio.share
        );
        answer.say(Grade::D, read_from(ratio, marks.whole));
        answer.remedies.push(Remedy::collector(
            "Sample where the ratio is written down: all in the SDK, then proportionally in the Collector.",
            Some(remedy::PROPORTIONAL),
        ));
    }
    if let Some(ratio) = marks.failures_kept {
        answer = answer.with("good_sampled_share", ratio.share);
        answer.summary =
            format!("traces without a failure are sampled ({}), those with one are all kept", percent(ratio.share));
        answer.say(Grade::D, read_from(ratio, marks.whole - marks.failing));
        answer.remedies.push(branch());
    } else if marks.mostly_failing() && biased == 0 {
        let failing = percent(share(marks.failing, marks.whole));
        answer.summary = format!("{failing} of {} traces hold a failure", number(marks.whole));
        answer.say(
            Grade::C,
            "either nearly everything fails, or a tail sampler keeps what fails: error shares mean nothing then",
        );
        answer.remedies.push(branch());
    }
    if marks.even() {
        let rate = marks.traces_per_s;
        answer.say(
            Grade::C,
            format!(
                "each second brings the same number of traces ({rate:.0}): a rate-limiting sampler, or a load generator"
            ),
        );
        answer.remedies.push(branch());
    }
    answer.remedies.dedup();
    answer
}

fn read_from(ratio: Ratio, traces: u64) -> String {
    let part = match ratio.method {
        Method::Low => "the low 64 bits of the trace ids (the SDKs of Go and Python)",
        Method::Magnitude => "the magnitude of the trace ids' low half (the SDKs of Java and .NET)",
        Method::Folded => "the folded trace ids (the SDK of JavaScript)",
        Method::Consistent => "the low 56 bits of the trace ids (consistent sampling)",
    };
    format!("read from {part}: of {} traces none lies outside of its part", number(traces))
}

/// The one remedy for all samplers that choose by outcome.
pub(super) fn branch() -> Remedy {
    Remedy::collector(
        "Branch off before the sampler: stopbank reads every span and stores none, the sampler goes on for the tracing backend.",
        Some(remedy::BRANCH),
    )
}
