//! Do the spans show what the services count themselves?

use super::sampling::branch;
use super::{Answer, Question, few, percent};
use crate::Grade;
use crate::seen::{CountedSeen, Seen};

/// Services that are told of one by one.
const TOLD: usize = 8;

/// Nothing where there are no metrics: they are a second witness, and may be missing.
pub(super) fn ask(seen: &Seen) -> Option<Answer> {
    if seen.measured == 0 && seen.measured_poison == 0 {
        return None;
    }
    let compared: Vec<(&str, Grade, String)> = seen
        .counted
        .iter()
        .filter_map(|(id, counted)| {
            let (grade, told) = judged(counted.as_ref()?);
            Some((seen.texts.of(*id), grade, told))
        })
        .collect();
    let agree = compared.iter().filter(|(_, grade, _)| *grade == Grade::A).count();
    let mut answer = if compared.is_empty() {
        let summary = "metrics came, and could not be compared with any service's spans";
        let mut answer = Answer::new(Question::Metrics, Grade::C, summary);
        let why = "it takes half a minute of spans of which metrics tell throughout: listen for longer than two of their \
                   intervals";
        answer.details.push(why.to_owned());
        answer
    } else {
        let summary =
            format!("of {} services that count their calls, {agree} have spans of all of them", compared.len());
        Answer::new(Question::Metrics, Grade::A, summary)
    };
    answer = answer.with("compared", compared.len() as f64).with("agree", agree as f64);
    let mut worse: Vec<_> = compared.iter().filter(|(_, grade, _)| *grade > Grade::A).collect();
    worse.sort_by_key(|(name, grade, _)| (std::cmp::Reverse(*grade), *name));
    for (at, (name, grade, told)) in worse.iter().enumerate() {
        answer.grade = answer.grade.max(*grade);
        if at < TOLD {
            answer.details.push(format!("{name} ({grade}): {told}"));
        }
    }
    if worse.len() > TOLD {
        answer.details.push(format!("and {} more", worse.len() - TOLD));
    }
    if answer.grade >= Grade::D {
        answer.remedies.push(branch());
    }
    let uncounted: Vec<&str> = seen
        .services
        .iter()
        .filter(|(id, one)| one.server > 0 && !seen.counted.contains_key(id))
        .map(|(id, _)| seen.texts.of(*id))
        .collect();
    if !uncounted.is_empty() && !compared.is_empty() {
        answer.details.push(format!("no metrics of what they serve: {}", few(uncounted.into_iter())));
    }
    if seen.measured_poison > 0 {
        answer.say(Grade::C, format!("{} records of metrics cannot be read", seen.measured_poison));
    }
    Some(answer)
}

/// A service's grade, and what its spans show of what it counts.
pub(crate) fn judged(counted: &CountedSeen) -> (Grade, String) {
    let shown = percent(counted.calls_share());
    let Some(known) = counted.known else {
        let told =
            format!("its metrics count fewer calls than its spans show ({shown}): not all of its instances send them");
        return (Grade::C, told);
    };
    let shown = match counted.failures_share() {
        Some(failures) => format!("its spans show {shown} of its calls and {} of those that failed", percent(failures)),
        None => format!("its spans show {shown} of its calls"),
    };
    match (known.bias, known.share) {
        (Some(witness::Bias::Unproven), _) => (Grade::C, format!("{shown}: {}", witness::Bias::Unproven.as_str())),
        (Some(bias), _) => (Grade::D, format!("{shown}: {}", bias.as_str())),
        (None, Some(_)) => (Grade::B, format!("{shown}; counts are corrected by that")),
        (None, None) => (Grade::A, shown),
    }
}
