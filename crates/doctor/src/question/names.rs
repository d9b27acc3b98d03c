//! Are there few enough names? Each operation and each service is learned apart.

use super::{Answer, Question, few, number, percent, share};
use crate::seen::{Seen, ServiceSeen};
use crate::{Grade, Remedy, remedy};
use model::NameId;

/// Operations of a service above which something is wrong with its names.
const OPERATIONS_MANY: usize = 100;
/// Services above which something is wrong with theirs.
const SERVICES_MANY: usize = 1_000;
/// Shares of a service's spans that are only counted as `other`.
const OTHER: [f64; 4] = [0.0, 0.01, 0.1, 0.5];

pub(super) fn ask(seen: &Seen) -> Answer {
    let other = NameId::of("other");
    let folded = |one: &ServiceSeen| share(one.operations.get(&other).copied().unwrap_or(0), one.spans);
    let operations: usize = seen.services.values().map(|one| one.operations.len()).sum();
    let (services, most) =
        (seen.services.len(), seen.services.values().map(|one| one.operations.len()).max().unwrap_or(0));
    let mut answer = Answer::new(
        Question::Names,
        Grade::A,
        format!("{services} services have {} operations, none more than {most}", number(operations as u64)),
    );
    answer = answer.with("services", services as f64).with("operations_most", most as f64);
    let mut many: Vec<(&NameId, &ServiceSeen)> = seen
        .services
        .iter()
        .filter(|(_, one)| one.operations.len() > OPERATIONS_MANY && one.spans > 2 * OPERATIONS_MANY as u64)
        .collect();
    many.sort_by(|a, b| folded(b.1).total_cmp(&folded(a.1)).then(a.0.cmp(b.0)));
    if let Some((_, worst)) = many.first() {
        answer = answer.with("other_share", folded(worst));
        let names = few(many.iter().map(|(id, _)| seen.texts.of(**id)));
        answer.summary = format!("operations explode: {names}");
        for (id, one) in &many {
            let grade = Grade::of(folded(one), OTHER).max(Grade::C);
            let rare = one.operations.iter().filter(|(name, count)| **name != other && **count <= 2);
            let examples = few(rare.map(|(name, _)| seen.texts.of(*name)));
            let (count, folded) = (one.operations.len(), percent(folded(one)));
            let name = seen.texts.of(**id);
            answer.say(
                grade,
                format!(
                    "{name}: {count} operations, {folded} of its spans only count as `other`; rare ones: {examples}"
                ),
            );
        }
        answer
            .remedies
            .push(Remedy::sdk("Set http.route (the framework's instrumentation does), and name spans by it.", None));
        answer.remedies.push(Remedy::collector("Or cut the variable part out of the names.", Some(remedy::SPAN_NAMES)));
    }
    services_by_pod(seen, &mut answer);
    answer
}

/// Services that are named like pods, or are too many.
fn services_by_pod(seen: &Seen, answer: &mut Answer) {
    let pods: Vec<&str> = seen.services.keys().map(|id| seen.texts.of(*id)).filter(|name| is_pod(name)).collect();
    if pods.len() >= 2 {
        answer.summary = "services are named by their pods".to_owned();
        answer.say(
            Grade::D,
            format!(
                "{} services are named like pods: {}; each deploy makes new ones",
                pods.len(),
                few(pods.into_iter())
            ),
        );
        answer.remedies.push(Remedy::sdk("Name the service, not the pod.", Some(remedy::SERVICE_NAME)));
    } else if seen.services.len() > SERVICES_MANY {
        answer.say(Grade::C, format!("{} services: is an instance's name part of service.name?", seen.services.len()));
    }
}

/// `name-7d4b9c6f5d-x2x7q`: what Kubernetes makes of a deployment's name.
fn is_pod(name: &str) -> bool {
    let mut parts = name.rsplit('-');
    let (Some(pod), Some(set), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let hashed = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    hashed(set, 8..=10) && pod.len() == 5 && hashed(pod, 5..=5)
}

#[cfg(test)]
mod tests {
    use super::is_pod;

    #[test]
    fn pods_are_told_from_services() {
        assert!(is_pod("cart-7d4b9c6f5d-x2x7q"));
        assert!(
            !is_pod("cart") && !is_pod("ts-order-service") && !is_pod("eu-west-1") && !is_pod("shop-payments-gateway")
        );
    }
}
