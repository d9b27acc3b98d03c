//! Do the hosts' clocks agree? Skew puts a call's halves into different seconds and turns causes into effects.

use super::{Answer, Question, duration};
use crate::anatomy::Host;
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};

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
    let wrong = if skews.is_empty() { Vec::new() } else { wrong(&seen.anatomy.hosts) };
    for host in wrong.iter().take(SHOWN) {
        answer.details.push(format!(
            "{} is about {} {} most hosts, give or take {}",
            seen.texts.of(host.host),
            duration(ms(host.offset_ns)),
            if host.offset_ns > 0 { "ahead of" } else { "behind" },
            duration(ms(host.error_ns).max(1))
        ));
    }
    if wrong.len() > SHOWN {
        answer.details.push(format!("and {} more", wrong.len() - SHOWN));
    }
    if grade > Grade::A && !skews.is_empty() {
        answer.remedies.push(Remedy::host("Keep the clocks of these hosts by NTP.", Some(remedy::CHRONY)));
    }
    answer
}

fn ms(ns: i64) -> u64 {
    ns.unsigned_abs() / 1_000_000
}

/// Hosts whose clocks are wrong by more than is worth a word and than is uncertain, the worst first.
fn wrong(hosts: &[Host]) -> Vec<Host> {
    let mut wrong: Vec<Host> =
        hosts.iter().copied().filter(|host| ms(host.offset_ns) > 5 && host.offset_ns.abs() > host.error_ns).collect();
    wrong.sort_by_key(|host| (std::cmp::Reverse(host.offset_ns.unsigned_abs()), host.host));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::NameId;

    #[test]
    fn only_hosts_whose_clocks_are_surely_wrong_are_named_the_worst_first() {
        let host = |host, offset_ms: i64, error_ms: i64| Host {
            host: NameId(host),
            offset_ns: offset_ms * 1_000_000,
            error_ns: error_ms * 1_000_000,
        };
        let found = wrong(&[host(1, 40, 50), host(2, 900, 2), host(3, -1000, 3), host(4, 4, 1)]);
        assert_eq!(found.iter().map(|host| host.host.0).collect::<Vec<_>>(), [3, 2]);
    }
}
