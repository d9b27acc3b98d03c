//! Do spans say what is needed: who sent them, of which kind they are, whom they call, on which instance?

use super::{Answer, Question, few, percent, share};
use crate::seen::{Seen, ServiceSeen};
use crate::{Grade, Remedy, remedy};
use model::NameId;
use telemetry::Oddity;

/// A service lacks an attribute if this share of its spans does.
const LACKS: f64 = 0.05;
/// Spans before a service is judged.
const SPANS_MIN: u64 = 20;

pub(super) fn ask(seen: &Seen) -> Answer {
    let mut answer = Answer::new(
        Question::Attributes,
        Grade::A,
        "spans say who sent them, of which kind they are and whom they call",
    );
    let nameless = seen.oddities.of(Oddity::ServiceName);
    if nameless > 0 {
        answer.summary = "some spans do not say which service sent them".to_owned();
        answer.say(Grade::F, format!("{nameless} resources have no service.name: their services are one to stopbank"));
        answer.remedies.push(Remedy::sdk("Name the service.", Some(remedy::SERVICE_NAME)));
    }
    let kindless: Vec<(NameId, f64)> = seen
        .anatomy
        .services
        .iter()
        .filter(|(id, limbs)| {
            limbs.spans >= SPANS_MIN && limbs.requests == 0 && limbs.kindless > 0 && known(seen, **id)
        })
        .map(|(id, limbs)| (*id, share(limbs.kindless, limbs.spans)))
        .collect();
    if !kindless.is_empty() {
        let services = few(kindless.iter().map(|(id, _)| seen.texts.of(*id)));
        let line = format!(
            "spans of {services} hang under another service's and are of no kind: they are not seen as requests"
        );
        if nameless == 0 {
            answer.summary = format!("{services}: requests are not marked as server spans");
        }
        answer.say(Grade::D, line);
        answer.remedies.push(Remedy::sdk(
            "Set the span's kind: SERVER where a request comes in, CLIENT where one goes out.",
            None,
        ));
    }
    lacking(
        seen,
        &mut answer,
        "peer",
        Grade::B,
        |one| (one.without_peer, one.client),
        "do not say whom they call (server.address, peer.service)",
    );
    lacking(
        seen,
        &mut answer,
        "instance",
        Grade::B,
        |one| (one.without_instance, one.spans),
        "do not say their instance (service.instance.id): one bad instance cannot be told from a bad service",
    );
    lacking(
        seen,
        &mut answer,
        "zone",
        Grade::A,
        |one| (one.without_zone, one.spans),
        "do not say their zone (cloud.availability_zone): a bad zone cannot be told",
    );
    let (clients, attempts, deadlines) = seen
        .services
        .values()
        .fold((0, 0, 0), |sum, one| (sum.0 + one.client, sum.1 + one.attempts_said, sum.2 + one.deadlines_said));
    answer = answer
        .with("attempts_said_share", share(attempts, clients))
        .with("deadlines_said_share", share(deadlines, clients));
    if clients > 0 && attempts == 0 {
        let inferred = seen.windows.retries;
        answer.details.push(format!(
            "no call says its attempt (http.request.resend_count): retries are inferred from repeats after a failure ({inferred} here)"
        ));
    }
    if clients > 0 && deadlines == 0 {
        answer.details.push(
            "no call says its deadline: timeouts are inferred where durations of failed calls pile up".to_owned(),
        );
    }
    let lacks_resource = answer.figures.get("instance_missing_share").is_some_and(|share| *share > LACKS);
    if lacks_resource {
        answer
            .remedies
            .push(Remedy::sdk("Describe the process once, in its environment.", Some(remedy::RESOURCE_ATTRIBUTES)));
        answer.remedies.push(Remedy::collector("Or copy what the Collector knows.", Some(remedy::RESOURCE_PROCESSOR)));
    }
    if answer.grade == Grade::B {
        answer.summary = "spans say what is needed, but not all that would help".to_owned();
    }
    answer
}

fn known(seen: &Seen, id: NameId) -> bool {
    seen.services.contains_key(&id)
}

/// One attribute over all services.
fn lacking(
    seen: &Seen,
    answer: &mut Answer,
    name: &'static str,
    grade: Grade,
    counts: impl Fn(&ServiceSeen) -> (u64, u64),
    what: &str,
) {
    let total = seen.services.values().map(&counts).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let figure = match name {
        "peer" => "peer_missing_share",
        "instance" => "instance_missing_share",
        _ => "zone_missing_share",
    };
    answer.figures.insert(figure, share(total.0, total.1));
    let mut lacking: Vec<(NameId, f64)> = seen
        .services
        .iter()
        .map(|(id, one)| (*id, counts(one)))
        .filter(|(_, (_, all))| *all >= SPANS_MIN)
        .map(|(id, (missing, all))| (id, share(missing, all)))
        .filter(|(_, missing)| *missing > LACKS)
        .collect();
    if lacking.is_empty() {
        return;
    }
    lacking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let services = if lacking.len() == seen.services.len() && lacking.len() > 4 {
        format!("all {} services", lacking.len())
    } else {
        few(lacking.iter().map(|(id, _)| seen.texts.of(*id)))
    };
    answer.say(grade, format!("{} of the spans {what}: {services}", percent(share(total.0, total.1))));
}
