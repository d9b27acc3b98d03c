//! Does anything come, and from every partition?

use super::{Answer, Question, few, number};
use crate::anatomy::Runs;
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};

pub(super) fn ask(seen: &Seen, live: bool) -> Answer {
    let silent: Vec<&str> =
        seen.partitions.iter().filter(|one| one.records == 0).map(|one| one.name.as_str()).collect();
    let all = seen.partitions.len();
    let of = match (live, all) {
        (true, 1) => "partition",
        (true, _) => "partitions",
        (false, 1) => "file",
        (false, _) => "files",
    };
    if seen.spans == 0 {
        let records = number(seen.records);
        let mut answer = Answer::new(Question::Topics, Grade::F, format!("no span in {records} records of {all} {of}"));
        answer.remedies.push(Remedy::collector(
            "Export traces to this topic: a pipeline of the Collector with the Kafka exporter.",
            Some(remedy::KAFKA_EXPORTER),
        ));
        return answer;
    }
    let seconds = seen.seconds_seen(crate::anatomy::BREAK_S).max(1);
    let rate = seen.spans as f64 / seconds as f64;
    let runs = Runs::of(&seen.seconds).iter().count();
    let mut answer = Answer::new(
        Question::Topics,
        Grade::A,
        format!("{} spans in {seconds} s ({rate:.0} a second) from {all} {of}", number(seen.spans)),
    );
    answer =
        answer.with("spans_per_s", rate).with("partitions", all as f64).with("partitions_silent", silent.len() as f64);
    if runs > 1 {
        answer.details.push(format!("{runs} stretches with breaks between them; nothing is concluded at their ends"));
    }
    if !silent.is_empty() {
        let grade = if silent.len() * 2 >= all { Grade::C } else { Grade::B };
        answer.say(grade, format!("{} of {all} {of} brought nothing: {}", silent.len(), few(silent.into_iter())));
        if live {
            answer.remedies.push(Remedy::collector(
                "Spread records over the partitions: by trace id, or with no key at all.",
                Some(remedy::PARTITION_BY_TRACE),
            ));
        }
    }
    answer
}
