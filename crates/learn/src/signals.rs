//! The signals of one subject: at most a handful, kept side by side so that judging them touches little memory.

use crate::judge::Judged;
use crate::{BaselineConfig, Signal};
use serde::{Deserialize, Serialize};

/// Judged signals, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signals(Vec<(Signal, Judged)>);

impl Signals {
    pub(crate) fn get(&self, signal: &Signal) -> Option<&Judged> {
        self.0.iter().find(|(known, _)| known == signal).map(|(_, judged)| judged)
    }

    /// The signal, new if it was never measured.
    pub(crate) fn entry(&mut self, signal: Signal) -> &mut Judged {
        let place = self.0.iter().position(|(known, _)| *known >= signal).unwrap_or(self.0.len());
        if self.0.get(place).is_none_or(|(known, _)| *known != signal) {
            self.0.reserve_exact(1);
            self.0.insert(place, (signal, Judged::default()));
        }
        &mut self.0[place].1
    }

    /// The same with wider baselines.
    pub(crate) fn widened(&self, config: impl Fn(Signal) -> BaselineConfig) -> Signals {
        let widened = |(signal, judged): &(Signal, Judged)| {
            let baseline = judged.baseline.widened(&config(*signal));
            (*signal, Judged { baseline, ..judged.clone() })
        };
        Signals(self.0.iter().map(widened).collect())
    }

    /// Brings them into the cache; the number says nothing.
    pub(crate) fn warm(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, judged)| sum ^ judged.at_ns)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Signal> {
        self.0.iter().map(|(signal, _)| signal)
    }
}
