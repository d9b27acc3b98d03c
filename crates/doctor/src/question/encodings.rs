//! Can every record be read?

use super::{Answer, Question, number, percent, share};
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};
use telemetry::Encoding;

/// Shares of records and spans that cannot be read.
const UNREADABLE: [f64; 4] = [0.0, 0.001, 0.01, 0.1];

pub(super) fn ask(seen: &Seen) -> Answer {
    let unreadable = share(seen.poison, seen.records);
    let left_out = seen.oddities.spans_left_out();
    let dropped = share(left_out, seen.spans + left_out);
    let grade = Grade::of(unreadable.max(dropped), UNREADABLE);
    let named = |(encoding, records): (&Encoding, &u64)| format!("{} {}", encoding.as_str(), number(*records));
    let by_encoding = seen.encodings.iter().map(named).collect::<Vec<_>>().join(", ");
    let summary = match (seen.records, seen.poison) {
        (0, _) => "no record came".to_owned(),
        (records, 0) => format!("all {} records can be read ({by_encoding})", number(records)),
        (records, poison) => {
            format!("{} of {} records cannot be read ({})", number(poison), number(records), percent(unreadable))
        }
    };
    let mut answer = Answer::new(Question::Encodings, grade, summary);
    answer = answer.with("records_unreadable_share", unreadable).with("spans_left_out_share", dropped);
    if seen.poison > 0 {
        answer.details.extend(seen.first_poison.iter().map(|first| format!("the first: {first}")));
        if !by_encoding.is_empty() {
            answer.details.push(format!("the others: {by_encoding}"));
        }
        answer.remedies.push(Remedy::collector(
            "Write OTLP to the topic, one export request a record, and nothing else.",
            Some(remedy::KAFKA_EXPORTER),
        ));
    }
    if left_out > 0 {
        let kinds = seen.oddities.iter().filter(|(oddity, _)| oddity.drops_the_span());
        let kinds: Vec<String> =
            kinds.map(|(oddity, count)| format!("{} {}", oddity.as_str(), number(count))).collect();
        answer.details.push(format!("{} spans have no usable {}", number(left_out), kinds.join(", ")));
    }
    if seen.encodings.len() > 1 {
        answer
            .say(Grade::B, format!("several encodings on one topic ({by_encoding}): each is told by its first bytes"));
    }
    answer
}
