//! Does it come in time? A second is closed when its partition has moved on by the grace (10 s at most).

use super::{Answer, Question, duration, number, percent, share};
use crate::delays::Delays;
use crate::seen::{ExporterSeen, Seen};
use crate::{Grade, Remedy, remedy};
use model::NameId;

/// Spans of an exporter or a partition before its lateness counts.
const SIGNIFICANT: u64 = 20;
const SHOWN: usize = 4;
/// Older telemetry than this causes no action, milliseconds (`engine.stale_after`).
const STALE_MS: u64 = 15_000;

pub(super) fn ask(seen: &Seen) -> Answer {
    let mut exporters: Vec<(&NameId, &ExporterSeen)> =
        seen.exporters.iter().filter(|(_, one)| one.spans >= SIGNIFICANT.min(seen.spans)).collect();
    exporters.sort_by_key(|(id, one)| (std::cmp::Reverse(one.lateness.quantile_ms(990)), **id));
    let worst_ms = exporters.first().map_or(0, |(_, one)| one.lateness.quantile_ms(990));
    let mut all = Delays::default();
    seen.partitions.iter().for_each(|one| all.merge(&one.lateness));
    let p99_ms = all.quantile_ms(990);
    // The slowest exporter decides how long everybody waits.
    let summary = format!(
        "99 % of the spans come within {}, those of the slowest exporter within {}",
        duration(p99_ms),
        duration(worst_ms)
    );
    let mut answer = Answer::new(Question::Lateness, graded(worst_ms), summary);
    answer = answer.with("p99_ms", p99_ms as f64).with("slowest_p99_ms", worst_ms as f64);
    for (id, one) in exporters.iter().take(SHOWN).filter(|(_, one)| one.lateness.quantile_ms(990) > 2_000) {
        let quantiles = (one.lateness.quantile_ms(500), one.lateness.quantile_ms(990), one.lateness.max_ms());
        let (name, service) = (seen.texts.of(**id), seen.texts.of(one.service));
        let who = if name == service { name.to_owned() } else { format!("{name} ({service})") };
        answer.details.push(format!(
            "{who}: half within {}, 99 % within {}, all within {}",
            duration(quantiles.0),
            duration(quantiles.1),
            duration(quantiles.2)
        ));
    }
    if seen.windows.late > 0 {
        let late = share(seen.windows.late, seen.spans);
        answer = answer.with("late_share", late);
        answer.details.push(format!(
            "{} spans ({}) came after their second had closed",
            number(seen.windows.late),
            percent(late)
        ));
    }
    if seen.windows.future > 0 {
        answer.say(
            Grade::C,
            format!("{} spans are dated in the future and are not counted", number(seen.windows.future)),
        );
    }
    age(seen, &mut answer);
    silence(seen, &mut answer);
    if worst_ms > 30_000 || (worst_ms > 10_000 && p99_ms > 10_000) {
        answer.remedies.push(Remedy::collector(
            "Do not let a tail sampler's decision_wait lie before stopbank: branch off before it.",
            Some(remedy::BRANCH),
        ));
    }
    if answer.grade > Grade::A {
        answer.remedies.push(Remedy::collector("Send small batches often.", Some(remedy::SMALL_BATCHES)));
        answer.remedies.push(Remedy::sdk("Export every second.", Some(remedy::SCHEDULE_DELAY)));
    }
    answer
}

fn graded(p99_ms: u64) -> Grade {
    Grade::of(p99_ms as f64, [2_000.0, 6_500.0, 10_000.0, 40_000.0])
}

/// How old spans are when they reach the topic.
fn age(seen: &Seen, answer: &mut Answer) {
    let mut age = Delays::default();
    seen.partitions.iter().for_each(|one| age.merge(&one.age));
    if age.total() == 0 {
        return;
    }
    let (half_ms, p99_ms) = (age.quantile_ms(500), age.quantile_ms(990));
    answer.figures.insert("age_p50_ms", half_ms as f64);
    answer.figures.insert("age_p99_ms", p99_ms as f64);
    let line = format!("on the topic half of them are {} old, 99 % at most {}", duration(half_ms), duration(p99_ms));
    if half_ms > STALE_MS {
        answer.say(Grade::F, format!("{line}: too old for any action (engine.stale_after = 15 s)"));
    } else {
        answer.details.push(line);
    }
}

/// Exporters that had been steady and fell silent.
fn silence(seen: &Seen, answer: &mut Answer) {
    const STEADY_NS: u64 = 20_000_000_000;
    const SILENT_NS: u64 = 15_000_000_000;
    let silent: Vec<&str> = seen
        .exporters
        .iter()
        .filter(|(_, one)| {
            let quiet_ns = seen.last_ns - one.last_ns;
            one.last_ns - one.first_ns > STEADY_NS && quiet_ns > SILENT_NS && quiet_ns / 4 > one.pause_ns
        })
        .map(|(id, _)| seen.texts.of(*id))
        .collect();
    if !silent.is_empty() {
        let count = silent.len();
        answer.say(
            Grade::B,
            format!("{count} exporters were steady and fell silent: {}", super::few(silent.into_iter())),
        );
    }
}
