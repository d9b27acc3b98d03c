//! Can deploys be told? Most incidents begin with one.

use super::{Answer, Question, few, percent, share};
use crate::seen::{Seen, ServiceSeen};
use crate::{Grade, Remedy, remedy};
use model::NameId;

/// A version that appears so long after the start is a deploy, nanoseconds.
const LATER_NS: u64 = 5_000_000_000;
/// Shares of spans that say no version.
const WITHOUT: [f64; 4] = [0.02, 0.2, 1.0, 1.0];

pub(super) fn ask(seen: &Seen) -> Answer {
    let sum = |part: fn(&ServiceSeen) -> u64| seen.services.values().map(part).sum::<u64>();
    let without = share(sum(|one| one.without_version), sum(|one| one.spans));
    let summary = if without == 0.0 {
        "every span says its service's version".to_owned()
    } else {
        format!("{} of the spans say no version: a deploy cannot be told from other changes", percent(without))
    };
    let mut answer =
        Answer::new(Question::Versions, Grade::of(without, WITHOUT), summary).with("version_missing_share", without);
    let lacking = seen.services.iter().filter(|(_, one)| share(one.without_version, one.spans) > 0.05);
    let lacking: Vec<&str> = lacking.map(|(id, _)| seen.texts.of(*id)).collect();
    if !lacking.is_empty() && lacking.len() < seen.services.len() {
        answer.details.push(format!("without: {}", few(lacking.into_iter())));
    }
    for (id, one) in seen.services.iter().filter(|(_, one)| one.versions.len() > 1) {
        let mut versions: Vec<(u64, NameId)> = one.versions.iter().map(|(version, first)| (*first, *version)).collect();
        versions.sort_unstable();
        let named: Vec<String> = versions
            .iter()
            .map(|(first_ns, version)| {
                let after_ns = first_ns - seen.first_ns;
                let text = seen.texts.of(*version);
                if after_ns > LATER_NS {
                    format!("{text} (from {} s on)", after_ns / 1_000_000_000)
                } else {
                    text.to_owned()
                }
            })
            .collect();
        answer.details.push(format!("{} runs {}", seen.texts.of(*id), named.join(" and ")));
    }
    if answer.grade > Grade::A {
        answer.remedies.push(Remedy::sdk("Say the version.", Some(remedy::RESOURCE_ATTRIBUTES)));
    }
    answer
}
