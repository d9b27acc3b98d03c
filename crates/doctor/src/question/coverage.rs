//! How well is each service seen?

use super::{Answer, Question, few, judged, percent, share};
use crate::anatomy::{BREAK_S, Limbs};
use crate::seen::{CountedSeen, Seen, ServiceSeen};
use crate::{Grade, ServiceReport};
use model::NameId;

/// Shares of all spans that belong to services graded D or F.
const BADLY_SEEN: [f64; 4] = [0.0, 0.05, 0.2, 0.5];
/// Requests and calls a minute below which there is too little to judge within a minute.
const COLD_PER_MIN: f64 = 20.0;

pub(super) fn ask(seen: &Seen) -> Answer {
    let reports: Vec<ServiceReport> = seen.services.keys().map(|id| of_service(seen, *id)).collect();
    let bad: Vec<&ServiceReport> = reports.iter().filter(|one| one.grade >= Grade::D).collect();
    let spans: u64 = reports.iter().map(|one| one.spans).sum();
    let badly_seen = share(bad.iter().map(|one| one.spans).sum(), spans);
    let good = reports.len() - bad.len();
    let summary = format!("{good} of {} services are seen well enough", reports.len());
    let mut answer = Answer::new(Question::Coverage, Grade::of(badly_seen, BADLY_SEEN), summary)
        .with("badly_seen_share", badly_seen);
    for one in bad.iter().take(6) {
        answer.details.push(format!("{} ({}): {}", one.service, one.grade, one.why));
    }
    let cold: Vec<&str> = reports.iter().filter(|one| one.cold).map(|one| one.service.as_str()).collect();
    if !cold.is_empty() {
        answer.details.push(format!(
            "too quiet to be judged within a minute (fewer than {COLD_PER_MIN:.0} spans a minute): {}",
            few(cold.into_iter())
        ));
    }
    answer
}

/// A service's report.
pub(crate) fn of_service(seen: &Seen, id: NameId) -> ServiceReport {
    let empty = (ServiceSeen::default(), Limbs::default());
    let one = seen.services.get(&id).unwrap_or(&empty.0);
    let limbs = seen.anatomy.services.get(&id).unwrap_or(&empty.1);
    let orphans = share(limbs.orphans, limbs.spans);
    let unanswered = share(limbs.calls - limbs.answered, limbs.calls);
    let biased = share(one.biased, one.spans);
    // A request without a parent is an entry, unless somebody in the fleet is known to call this service without an answer.
    let uncalled = seen.anatomy.halves.unanswered.get(&id).map_or(0, |callee| callee.calls);
    let unasked = share(uncalled, uncalled + limbs.inner);
    let parts = [
        (Grade::of(orphans, [0.01, 0.05, 0.2, 0.5]), format!("{} of its spans lost their parents", percent(orphans))),
        (
            Grade::of(unanswered, [0.01, 0.05, 0.2, 0.5]),
            format!("{} of its calls have no other half", percent(unanswered)),
        ),
        (
            Grade::of(unasked, [0.01, 0.05, 0.2, 0.5]),
            format!("{} of the calls to it have no server span", percent(unasked)),
        ),
        (
            Grade::of(biased, [0.0, 0.001, 0.05, 0.5]),
            format!("{} of its spans come from a biased sampler", percent(biased)),
        ),
    ];
    let worst = parts.into_iter().max_by_key(|part| part.0).unwrap_or_default();
    let counted = seen.counted.get(&id).and_then(Option::as_ref);
    let minutes = seen.seconds_seen(BREAK_S).max(1) as f64 / 60.0;
    ServiceReport {
        service: seen.texts.of(id).to_owned(),
        grade: worst.0,
        why: if worst.0 == Grade::A { String::new() } else { worst.1 },
        spans: one.spans,
        requests: one.server + one.messaging,
        calls: one.client,
        operations: one.operations.len(),
        instances: one.instances.len(),
        versions: one.versions.keys().map(|version| seen.texts.of(*version).to_owned()).collect(),
        orphans_share: orphans,
        unanswered_share: unanswered,
        biased_share: biased,
        counted_share: counted.map(CountedSeen::calls_share),
        counted: counted.map(|counted| judged(counted).1),
        cold: one.spans as f64 / minutes < COLD_PER_MIN,
    }
}
