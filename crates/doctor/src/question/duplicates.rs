//! Is anything there twice? The same span again, one call told by two libraries, a proxy's spans.

use super::{Answer, Question, few, number, percent, share};
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};

/// Shares of spans that came again. They are counted once, so they cost work, not truth.
const AGAIN: [f64; 4] = [0.001, 0.02, 1.0, 1.0];
/// Shares of requests that two spans of one service tell of. These are counted twice.
const NESTED: [f64; 4] = [0.001, 0.01, 0.1, 0.5];

pub(super) fn ask(seen: &Seen) -> Answer {
    let hops = &seen.anatomy.hops;
    // The windows remember every span for a while, the sample those of some traces for good.
    let again =
        share(seen.windows.duplicates, seen.spans).max(share(hops.duplicates, seen.anatomy.spans + hops.duplicates));
    let nested = share(hops.nested.values().sum(), seen.anatomy.services.values().map(|limbs| limbs.requests).sum());
    let mut answer =
        Answer::new(Question::Duplicates, Grade::of(again, AGAIN), "no span came twice, no hop is told twice");
    answer = answer.with("duplicates_share", again).with("nested_share", nested);
    if hops.proxies > 0 {
        let proxies = number(hops.proxies);
        answer.details.push(format!("{proxies} spans of proxies are taken as part of the calls that they carry"));
        answer.summary = "no span came twice; proxies are recognised".to_owned();
    }
    if again > 0.0 {
        answer.summary = format!("{} of the spans came more than once; they are counted once", percent(again));
        answer.remedies.push(Remedy::collector(
            "Export each span once: one pipeline with one Kafka exporter, behind SDKs with one exporter.",
            Some(remedy::KAFKA_EXPORTER),
        ));
    }
    let wrapped: u64 = hops.wrapped.values().sum();
    if wrapped > 0 {
        let services = few(hops.wrapped.keys().map(|id| seen.texts.of(*id)));
        answer.details.push(format!(
            "{} calls of {services} are told by two client libraries; the inner span is taken",
            number(wrapped)
        ));
    }
    if !hops.nested.is_empty() {
        let services = few(hops.nested.keys().map(|id| seen.texts.of(*id)));
        if nested > again {
            answer.summary = format!("{} of the requests are told by two server spans", percent(nested));
        }
        answer.say(
            Grade::of(nested, NESTED),
            format!("requests of {services} have a server span right under another one: each is counted twice"),
        );
        answer
            .remedies
            .push(Remedy::sdk("Switch one of the two instrumentations off.", Some(remedy::INSTRUMENTATION_OFF)));
    }
    if hops.clashes > 0 {
        let clashes = share(hops.clashes, seen.anatomy.spans);
        answer.say(
            Grade::of(clashes, NESTED).at_worst(Grade::D),
            format!("{} spans carry the id of another span with other facts", number(hops.clashes)),
        );
    }
    answer
}
