//! Do parents come? A span whose parent is missing looks like an entry, hides a retry, and hides who caused it.

use super::{Answer, Question, number, percent, share};
use crate::anatomy::Why;
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};
use model::NameId;

/// Shares of spans whose parents are missing.
const ORPHANS: [f64; 4] = [0.005, 0.02, 0.1, 0.3];
const SHOWN: usize = 6;

pub(super) fn ask(seen: &Seen) -> Answer {
    let (orphans, spans) = (&seen.anatomy.orphans, seen.anatomy.spans);
    let faulty = orphans.faulty();
    let lost = share(faulty, spans);
    let summary = match faulty {
        0 => format!("every parent of {} spans was seen", number(spans)),
        _ => {
            format!("{} of {} spans name a parent that did not come ({})", number(faulty), number(spans), percent(lost))
        }
    };
    let mut answer = Answer::new(Question::Orphans, Grade::of(lost, ORPHANS), summary).with("orphans_share", lost);
    let mut parts: Vec<(&(NameId, Why), &u64)> =
        orphans.by_service.iter().filter(|((_, why), _)| *why != Why::Edge).collect();
    parts.sort_by_key(|(key, count)| (std::cmp::Reverse(**count), **key));
    for ((service, why), count) in parts.iter().take(SHOWN) {
        let name = seen.texts.of(*service);
        let count = number(**count);
        answer.details.push(match why {
            Why::CallerUnknown => format!(
                "{count} requests of {name}: no caller of it was ever seen; callers send their spans elsewhere, or none"
            ),
            Why::CallerLost => format!("{count} requests of {name}: their callers' spans were lost or sampled away"),
            Why::InProcess => {
                format!("{count} spans inside {name}: the span around them, of the same process, did not come")
            }
            Why::Sender => format!("{count} messages taken by {name}: the sender's span did not come"),
            Why::Edge => continue,
        });
    }
    if let Some(edge) = orphans.by_reason.get(&Why::Edge) {
        answer.details.push(format!("{} more lie where the telemetry ends: no fault", number(*edge)));
    }
    if answer.grade == Grade::A {
        return answer;
    }
    let of = |why: Why| share(orphans.by_reason.get(&why).copied().unwrap_or(0), faulty);
    if of(Why::InProcess) + of(Why::CallerLost) >= 0.2 {
        answer.remedies.push(Remedy::sdk(
            "Sample by the root's decision, and give the exporter a queue that holds a burst.",
            Some(remedy::PARENT_BASED),
        ));
        answer.remedies.push(Remedy::collector(
            "Give the Kafka exporter a queue, and look at otelcol_exporter_enqueue_failed_spans.",
            Some(remedy::SENDING_QUEUE),
        ));
    }
    if of(Why::CallerUnknown) >= 0.2 {
        answer.remedies.push(Remedy::sdk(
            "Send the callers' spans to this topic too; if they are outside of the fleet (browsers, partners), start a new \
             trace at the entry.",
            None,
        ));
    }
    answer
}
