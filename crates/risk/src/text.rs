//! The assessment for people.

use crate::Assessment;
use std::fmt::Write;

/// The assessment as text, the most expensive risk first.
pub fn text(assessment: &Assessment) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a String takes it");
    let Assessment { subject, seconds, services, entry_rps, risks, unknown, .. } = assessment;
    let count = match risks.len() {
        0 => "no risk found".to_owned(),
        1 => "1 risk".to_owned(),
        many => format!("{many} risks"),
    };
    line(format!("{subject}: {count}"));
    line(format!("{services} services, {entry_rps:.0} requests a second enter, {seconds:.0} s of telemetry"));
    for (at, risk) in risks.iter().enumerate() {
        line(String::new());
        line(format!("{:>3}  {}", at + 1, risk.summary));
        line(format!("     {} · up to {:.0} requests a second", risk.subject, risk.cost_rps));
        risk.evidence.iter().for_each(|evidence| line(format!("     seen    {evidence}")));
        line(format!("     reckon  {}", risk.arithmetic));
        line(format!("     change  {}", risk.change));
        if !risk.traces.is_empty() {
            line(format!("     traces  {}", risk.traces.join(" ")));
        }
    }
    if !unknown.is_empty() {
        line(String::new());
        line("Not judged".to_owned());
        unknown.iter().for_each(|what| line(format!("  · {what}")));
    }
    out
}
