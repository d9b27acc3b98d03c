//! Do the two halves of a call meet? Without both there is no edge that can be trusted, no queue delay and no timeout.

use super::{Answer, Question, few, number, percent, share};
use crate::anatomy::Unanswered;
use crate::seen::Seen;
use crate::{Grade, Remedy, remedy};
use model::NameId;

/// Shares of calls between services that emit spans, of which a half is missing.
const HALVED: [f64; 4] = [0.01, 0.05, 0.15, 0.4];
const SHOWN: usize = 5;

pub(super) fn ask(seen: &Seen) -> Answer {
    let halves = &seen.anatomy.halves;
    let all = halves.paired + halves.halved();
    let halved = share(halves.halved(), all);
    if all == 0 {
        return none(seen);
    }
    let summary = match halves.halved() {
        0 => format!("all {} calls between services have both halves", number(all)),
        missing => {
            format!("{} of {} calls between services lack a half ({})", number(missing), number(all), percent(halved))
        }
    };
    let mut answer =
        Answer::new(Question::Pairing, Grade::of(halved, HALVED), summary).with("calls_halved_share", halved);
    answer = answer.with("calls_paired", halves.paired as f64);
    let mut unanswered: Vec<(&NameId, &Unanswered)> = halves.unanswered.iter().collect();
    unanswered.sort_by_key(|(id, one)| (std::cmp::Reverse(one.calls), **id));
    let mut broken = Vec::new();
    for (callee, one) in unanswered.iter().take(SHOWN) {
        let callers = few(one.callers.iter().map(|id| seen.texts.of(*id)));
        let name = seen.texts.of(**callee);
        let roots = seen.anatomy.services.get(callee).map_or(0, |limbs| limbs.entries);
        let mut line = format!("{} calls of {callers} to {name} have no server span", number(one.calls));
        if roots * 2 >= one.calls {
            line += &format!(
                ", and {} requests of {name} begin a trace of their own: the context is not passed on",
                number(roots)
            );
            broken.push(name);
        }
        answer.details.push(line);
    }
    let mut unasked: Vec<(&(NameId, NameId), &u64)> = halves.unasked.iter().collect();
    unasked.sort_by_key(|(pair, count)| (std::cmp::Reverse(**count), **pair));
    for ((caller, callee), count) in unasked.iter().take(SHOWN) {
        let (caller, callee) = (seen.texts.of(*caller), seen.texts.of(*callee));
        answer.details.push(format!("{} requests of {caller} to {callee} have no client span", number(**count)));
    }
    if !broken.is_empty() {
        let say = format!("Let callers send and {} read the same trace context.", few(broken.into_iter()));
        answer.remedies.push(Remedy::sdk(say, Some(remedy::PROPAGATORS)));
    } else if !unanswered.is_empty() && answer.grade > Grade::A {
        let say = "Send the spans of both services to this topic, and sample by trace, not by service.";
        answer.remedies.push(Remedy::sdk(say, Some(remedy::PARENT_BASED)));
    }
    if !unasked.is_empty() && answer.grade > Grade::A {
        let say = "Instrument the HTTP or RPC client of these callers: the client half shows timeouts and retries.";
        answer.remedies.push(Remedy::sdk(say, None));
    }
    outside(seen, &mut answer);
    answer
}

fn none(seen: &Seen) -> Answer {
    let services = seen.services.len();
    let mut answer = Answer::new(
        Question::Pairing,
        Grade::D,
        format!("no call between two of the {services} services was seen: there are no edges to learn"),
    );
    answer = answer.with("calls_paired", 0.0);
    outside(seen, &mut answer);
    answer.remedies.push(Remedy::sdk(
        "Instrument clients and servers of the same requests, and pass the trace context on.",
        Some(remedy::PROPAGATORS),
    ));
    answer
}

/// What needs no other half, or cannot have one.
fn outside(seen: &Seen, answer: &mut Answer) {
    let halves = &seen.anatomy.halves;
    let mut peers: Vec<(&NameId, &u64)> = halves.outside.iter().collect();
    peers.sort_by_key(|(id, count)| (std::cmp::Reverse(**count), **id));
    if !peers.is_empty() {
        let calls = peers.iter().map(|(_, count)| **count).sum();
        let names = few(peers.iter().map(|(id, _)| seen.texts.of(**id)));
        answer.details.push(format!("{} calls to peers that emit no spans: {names}", number(calls)));
    }
    if halves.nameless > 0 {
        answer.details.push(format!("{} calls without an answer do not say whom they called", number(halves.nameless)));
    }
    if halves.needless > 0 {
        answer.details.push(format!("{} calls to databases and brokers need no other half", number(halves.needless)));
    }
}
