//! The demo's story: what the scenario is, what happened when, and what it came to.

use lab::{Second, Topology};
use model::{FindingState, Signature};
use runtime::{Event, State, Summary};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// When things happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// The fault begins.
    pub(crate) fault: Duration,
    /// It is lifted.
    pub(crate) lifted: Duration,
    /// The demo ends.
    pub(crate) length: Duration,
}

/// A fleet and its script.
pub(crate) struct Scenario {
    pub(crate) topology: Topology,
    pub(crate) script: Script,
}

/// How long the demo goes on after the fault has been lifted.
const AFTERMATH: Duration = Duration::from_secs(50);

impl Scenario {
    /// The built-in shop; its first fault is the story.
    pub(crate) fn shop() -> Scenario {
        let topology = lab::builtin("shop").expect("the shop is built in");
        let fault = topology.fault.first().expect("the shop has a fault");
        let begins = Duration::from_secs_f64(fault.start_s);
        let lifted = begins + Duration::from_secs_f64(fault.duration_s);
        let script = Script { fault: begins, lifted, length: lifted + AFTERMATH };
        Scenario { topology, script }
    }
}

impl Script {
    /// What goes on at that time, in words.
    pub(crate) fn phase(&self, at: Duration) -> &'static str {
        if at < self.fault {
            "healthy, learning what is normal"
        } else if at < self.lifted {
            "fault: one service is slow"
        } else {
            "the fault has been lifted"
        }
    }
}

/// What has happened so far.
pub(crate) struct Story {
    script: Script,
    next_event: u64,
    events: Vec<String>,
    told: BTreeSet<String>,
    told_phase: &'static str,
    seconds: Vec<Second>,
    goodput: Vec<u64>,
    detected: Option<Duration>,
}

impl Story {
    pub(crate) fn new(script: Script) -> Story {
        Story {
            script,
            next_event: 0,
            events: Vec::new(),
            told: BTreeSet::new(),
            told_phase: "",
            seconds: Vec::new(),
            goodput: Vec::new(),
            detected: None,
        }
    }

    /// Takes in what the pipeline and the fleet have done since; gives what is new, in words.
    pub(crate) fn hear(&mut self, at: Duration, state: &State, seconds: Vec<Second>) -> Vec<String> {
        let mut news = Vec::new();
        let phase = self.script.phase(at);
        if phase != self.told_phase {
            self.told_phase = phase;
            news.push(phase.to_owned());
        }
        self.goodput = seconds.iter().map(|second| second.good).collect();
        self.seconds = seconds;
        let happened = state.events(self.next_event);
        self.next_event = happened.next;
        for (_, event) in happened.items {
            news.extend(self.told(at, &event));
        }
        let stamp = at.as_secs();
        self.events.extend(news.iter().map(|text| format!("{stamp:>3} s  {text}")));
        news
    }

    /// Each finding and each change of a knob once; renewals go without saying.
    fn told(&mut self, at: Duration, event: &Event) -> Option<String> {
        let text = match event {
            Event::Finding(finding) => {
                if at >= self.script.fault && finding.state == FindingState::Opened {
                    self.detected.get_or_insert(at);
                }
                let state = match finding.state {
                    FindingState::Opened => "finding",
                    FindingState::Changed => return None,
                    FindingState::Closed => "closed",
                };
                format!("{state}: {} — {}", signature(finding.signature), finding.summary)
            }
            Event::Command(command) if command.setting.is_none() => {
                format!("released: {} {}", command.target, command.knob.as_str())
            }
            Event::Command(command) => format!("command: {}", crate::screen::command_line(command)),
        };
        let released_before = text.starts_with("command: ") && self.told.contains(&text);
        if released_before {
            return None;
        }
        self.told.insert(text.clone());
        Some(text)
    }

    /// What happened, oldest first.
    pub(crate) fn events(&self) -> &[String] {
        &self.events
    }

    /// Good requests of each second so far.
    pub(crate) fn goodput(&self) -> &[u64] {
        &self.goodput
    }

    /// Requests offered in the last second.
    pub(crate) fn offered(&self) -> u64 {
        self.seconds.last().map_or(0, |second| second.offered)
    }

    /// What it came to.
    pub(crate) fn verdict(&self, without: bool) -> Verdict {
        let (fault, lifted) = (self.script.fault.as_secs() as usize, self.script.lifted.as_secs() as usize);
        let mean = |from: usize, to: usize| {
            let seconds =
                self.goodput.get(from.min(self.goodput.len())..to.min(self.goodput.len())).unwrap_or_default();
            if seconds.is_empty() { 0.0 } else { seconds.iter().sum::<u64>() as f64 / seconds.len() as f64 }
        };
        let end = self.goodput.len();
        let healthy = mean(fault.saturating_sub(10), fault);
        let worst = (fault..end.saturating_sub(2)).map(|from| mean(from, from + 3)).fold(f64::INFINITY, f64::min);
        let back = (fault..end)
            .skip_while(|second| mean(*second, second + 3) >= healthy * 0.9)
            .find(|second| mean(*second, second + 3) >= healthy * 0.9 && second + 3 <= end);
        Verdict {
            time_to_detect_ms: self.detected.map(|at| (at.saturating_sub(self.script.fault)).as_millis() as u64),
            goodput_healthy_rps: rounded(healthy),
            goodput_worst_rps: rounded(if worst.is_finite() { worst } else { 0.0 }),
            goodput_final_rps: rounded(mean(end.saturating_sub(5), end)),
            goodput_back_after_lift_ms: back.map(|second| (second.saturating_sub(lifted) * 1000) as u64),
            commands_obeyed: !without,
            requests_lost: self
                .seconds
                .iter()
                .skip(fault)
                .map(|second| second.offered.saturating_sub(second.good))
                .sum(),
        }
    }
}

/// The outcome, as the summary line shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// From the fault's beginning to the first finding.
    time_to_detect_ms: Option<u64>,
    /// Mean of the ten seconds before the fault.
    goodput_healthy_rps: f64,
    /// The worst three seconds since.
    goodput_worst_rps: f64,
    /// The last five seconds.
    goodput_final_rps: f64,
    /// From the fault's end until goodput was back at nine tenths; `null` if it never came back.
    goodput_back_after_lift_ms: Option<u64>,
    commands_obeyed: bool,
    /// Requests that were not served well since the fault began.
    requests_lost: u64,
}

impl Verdict {
    /// The outcome for people.
    pub(crate) fn told(&self, without: bool, summary: &Summary) -> String {
        let detect = self.time_to_detect_ms.map_or("never".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
        let back =
            self.goodput_back_after_lift_ms.map_or("never: the retry storm keeps the fleet down".to_owned(), |ms| {
                format!("{:.0} s", ms as f64 / 1000.0)
            });
        let policy = if without { "commands ignored" } else { "commands obeyed" };
        let hint = if without {
            "Run it again without --without to see the difference."
        } else {
            "Run it with --without to see the same fleet, with the same seed, left alone."
        };
        format!(
            "\nSummary ({policy})\n  goodput    healthy {:.0}/s, worst {:.0}/s, at the end {:.0}/s\n  detected   {detect} after the \
             fault began ({} findings)\n  back       {back} after the fault was lifted\n  lost       {} requests\n  commands   {} \
             records on the control topic\n  pipeline   {} spans, {} calls, {} edges, {:.1} s CPU, {:.0} MiB\n\n{hint}",
            self.goodput_healthy_rps,
            self.goodput_worst_rps,
            self.goodput_final_rps,
            summary.findings,
            self.requests_lost,
            summary.commands,
            summary.spans,
            summary.calls,
            summary.edges,
            summary.cpu_s,
            summary.max_rss_mib,
        )
    }
}

fn signature(signature: Signature) -> &'static str {
    crate::screen::signature(signature)
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
