//! A survey: records and windows in, a fleet out.

use crate::draw;
use crate::fleet::Fleet;
use model::{EdgeId, GraphView, Interval, NameId, SpanFlags, Window};
use std::collections::BTreeMap;
use telemetry::{Encoding, Facts, Poison, Reader, ReaderConfig};
use trace::Sample;

/// Names that are remembered.
const NAMES_MAX: usize = 100_000;

/// How a survey works.
#[derive(Clone, Debug)]
pub struct SurveyConfig {
    /// The decoder's budgets, and how services are named.
    pub reader: ReaderConfig,
    /// Spans kept in whole traces, about 150 bytes each.
    pub spans_max: usize,
}

impl Default for SurveyConfig {
    fn default() -> Self {
        SurveyConfig { reader: ReaderConfig::default(), spans_max: 400_000 }
    }
}

/// What has been read.
pub struct Survey {
    reader: Reader,
    facts: Facts,
    sample: Sample,
    seen: Seen,
}

/// What is known beside whole traces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) names: BTreeMap<NameId, String>,
    /// Timeouts that durations of failed calls piled up at, microseconds.
    pub(crate) timeouts_us: BTreeMap<EdgeId, u64>,
    pub(crate) capacities: BTreeMap<NameId, Interval>,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    /// One trace in so many was kept.
    pub(crate) one_in: f64,
}

impl Survey {
    /// A survey that has seen nothing.
    pub fn new(config: SurveyConfig) -> Survey {
        Survey {
            reader: Reader::new(config.reader),
            facts: Facts::default(),
            sample: Sample::new(config.spans_max),
            seen: Seen::default(),
        }
    }

    /// Takes one record.
    ///
    /// # Errors
    /// The record is poison: nothing of it is taken.
    pub fn record(&mut self, encoding: Encoding, payload: &[u8]) -> Result<usize, Poison> {
        self.facts.clear();
        let read = self.reader.read(encoding, payload, &mut self.facts)?;
        for named in self.facts.names.drain(..) {
            if self.seen.names.len() < NAMES_MAX {
                self.seen.names.entry(named.id).or_insert(named.text);
            }
        }
        for span in self.facts.spans.iter().filter(|span| !span.flags.has(SpanFlags::LINKED)) {
            let seen = &mut self.seen;
            seen.first_ns = if seen.first_ns == 0 { span.end_ns } else { seen.first_ns.min(span.end_ns) };
            seen.last_ns = seen.last_ns.max(span.end_ns);
            self.sample.take(span);
        }
        Ok(read)
    }

    /// Takes a closed window of the same telemetry: it shows timeouts that spans do not say.
    pub fn window(&mut self, window: &Window) {
        for row in window.edges.iter().filter(|row| row.timeout_us > 0) {
            let longest = self.seen.timeouts_us.entry(EdgeId::of(&row.key)).or_default();
            *longest = (*longest).max(row.timeout_us);
        }
    }

    /// The fleet, with the capacities that the engine has learned from the same telemetry.
    pub fn fleet(mut self, graph: &GraphView) -> Fleet {
        let known = graph.services.iter().filter_map(|one| Some((NameId::of(&one.name), one.capacity_rps?)));
        self.seen.capacities = known.collect();
        self.seen.one_in = self.sample.one_in() as f64;
        draw::fleet(trace::traces(self.sample.into_spans()), self.seen)
    }
}
