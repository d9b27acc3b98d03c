//! The scores by name.

/// Which way is better?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
    /// It is what it is.
    Neither,
}

/// A score.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in JSON and tables.
    pub key: &'static str,
    /// What it is, in words.
    pub about: &'static str,
    /// Which way is better.
    pub better: Better,
}

macro_rules! metrics {
    ($($name:ident $key:literal $better:ident $about:literal;)*) => {
        /// All scores, in the order of [`super::Scores::values`].
        pub const METRICS: &[Metric] = &[$(Metric { key: $key, about: $about, better: Better::$better }),*];
        metrics!(@ 0usize; $($name)*);
    };
    (@ $at:expr; $name:ident $($rest:ident)*) => {
        pub(super) const $name: usize = $at;
        metrics!(@ $at + 1; $($rest)*);
    };
    (@ $at:expr;) => { pub(super) const COUNT: usize = $at; };
}

metrics! {
    OFFERED "offered_rps" Neither "requests a second that clients began";
    THROUGHPUT "throughput_rps" Neither "requests a second that some service finished, for somebody or for nobody";
    GOODPUT "goodput_rps" Higher "requests a second that were answered well in time";
    VALUE "value_share" Higher "good answers, weighted by business value, as a share of what was offered";
    GOOD_CRITICAL_PLUS "good_critical_plus" Higher "share of CRITICAL_PLUS requests that were answered well";
    GOOD_CRITICAL "good_critical" Higher "share of CRITICAL requests that were answered well";
    GOOD_SHEDDABLE_PLUS "good_sheddable_plus" Higher "share of SHEDDABLE_PLUS requests that were answered well";
    GOOD_SHEDDABLE "good_sheddable" Higher "share of SHEDDABLE requests that were answered well";
    VALUE_LOST "value_lost" Lower "business value not served since the onset";
    DETECT "detect_s" Lower "from the onset to the first finding, seconds";
    LEAD "lead_s" Higher "from the first finding until goodput (3 s) fell below 90 %, seconds; negative is too late";
    BAD "bad_s" Lower "time in the bad state, seconds";
    LEAVE "leave_s" Lower "from the end of the cause until the bad state was left for good, seconds; the rest of the run if never";
    STUCK "stuck" Lower "still in the bad state at the end, 0 or 1";
    HARM "harm" Lower "requests refused that the fleet could have served";
    COMMANDS "commands" Lower "commands that began or changed something";
    WRONG "wrong_commands" Lower "of these, those before the onset or where any command is harm";
    REVERSALS "reversals_per_knob" Lower "changes of direction for each knob of each target that was commanded";
    FALSE_ALARMS "false_alarms_per_day" Lower "findings before the onset, or at all where nothing is wrong, for each simulated day";
}
