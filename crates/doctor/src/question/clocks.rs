//! Do the hosts' clocks agree? Skew puts a call's halves into different seconds and turns causes into effects.

use super::{Answer, Question, duration};
use crate::anatomy::Skew;
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};
use model::NameId;
use std::collections::BTreeMap;

/// Proved offsets in milliseconds: a second is a window.
const OFFSET_MS: [f64; 4] = [5.0, 50.0, 300.0, 2_000.0];
const SHOWN: usize = 4;

pub(super) fn ask(seen: &Seen) -> Answer {
    let skews = &seen.anatomy.skews;
    let worst_ms = skews.first().map_or(0.0, |skew| skew.least_ns.unsigned_abs() as f64 / 1e6);
    let summary = match skews.first() {
        None if seen.anatomy.halves.paired == 0 => "not known: there are no paired calls to tell it by".to_owned(),
        None => "no paired call contradicts the clocks of its two hosts".to_owned(),
        Some(worst) if worst_ms <= OFFSET_MS[0] => {
            format!("clocks agree within {}", duration(ms(worst.likely_ns).max(1)))
        }
        Some(worst) => format!("clocks differ by {} at least", duration(ms(worst.least_ns))),
    };
    let grade = if seen.anatomy.halves.paired == 0 { Grade::B } else { Grade::of(worst_ms, OFFSET_MS) };
    let mut answer = Answer::new(Question::Clocks, grade, summary).with("worst_offset_ms", worst_ms);
    for (host, offset_ns, others) in
        culprits(skews).into_iter().take(SHOWN).filter(|(_, offset_ns, _)| ms(*offset_ns) > 5)
    {
        let way = if offset_ns > 0 { "ahead of" } else { "behind" };
        let hosts = if others == 1 { "host" } else { "hosts" };
        answer.details.push(format!(
            "{} is about {} {way} {others} {hosts} that it talks with",
            seen.texts.of(host),
            duration(ms(offset_ns))
        ));
    }
    if grade > Grade::A && !skews.is_empty() {
        answer.remedies.push(Remedy::host("Keep the clocks of these hosts by NTP.", Some(remedy::CHRONY)));
    }
    answer
}

fn ms(ns: i64) -> u64 {
    ns.unsigned_abs() / 1_000_000
}

/// Hosts by how many others they disagree with: (host, its offset against them in nanoseconds, how many).
fn culprits(skews: &[Skew]) -> Vec<(NameId, i64, usize)> {
    let mut by_host: BTreeMap<NameId, BTreeMap<NameId, i64>> = BTreeMap::new();
    for skew in skews {
        by_host.entry(skew.callee).or_default().insert(skew.caller, skew.likely_ns);
        by_host.entry(skew.caller).or_default().insert(skew.callee, -skew.likely_ns);
    }
    let mut culprits: Vec<(NameId, i64, usize)> = Vec::new();
    // Whoever disagrees with most is at fault; what it explains is taken away before the next one is looked for.
    while let Some((host, offsets)) = by_host.iter().max_by_key(|(id, offsets)| {
        (offsets.len(), offsets.values().map(|offset| offset.unsigned_abs()).max(), std::cmp::Reverse(**id))
    }) {
        if offsets.is_empty() {
            break;
        }
        let (host, mut values) = (*host, offsets.values().copied().collect::<Vec<_>>());
        values.sort_unstable();
        culprits.push((host, values[values.len() / 2], values.len()));
        by_host.remove(&host);
        by_host.values_mut().for_each(|offsets| {
            offsets.remove(&host);
        });
    }
    culprits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_disagrees_with_all_others_is_named_once() {
        let skew = |caller, callee, likely_ns| Skew {
            caller: NameId(caller),
            callee: NameId(callee),
            calls: 9,
            least_ns: likely_ns,
            likely_ns,
        };
        let found = culprits(&[skew(1, 5, 900), skew(2, 5, 1_000), skew(5, 3, -1_100)]);
        assert_eq!(found, [(NameId(5), 1_000, 3)]);
    }
}
