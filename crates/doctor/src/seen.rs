//! What an examination has counted.

use crate::anatomy::Anatomy;
use crate::delays::Delays;
use model::{NameId, Span, SpanFlags, SpanKind, Weight};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::{Encoding, Oddities};
use witness::{Known, Tally};

/// Names that are remembered with their texts.
const TEXTS_MAX: usize = 100_000;
/// Services that are told apart.
const SERVICES_MAX: usize = 10_000;
/// Distinct values of a service's attribute that are remembered.
const VALUES_MAX: usize = 1_000;
/// Seconds of event time that are remembered.
const SECONDS_MAX: usize = 200_000;

/// Everything that the questions look at.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) spans: u64,
    pub(crate) poison: u64,
    /// Place and reason of the first record that could not be read.
    pub(crate) first_poison: Option<String>,
    pub(crate) encodings: BTreeMap<Encoding, u64>,
    pub(crate) oddities: Oddities,
    pub(crate) partitions: Vec<PartitionSeen>,
    pub(crate) exporters: BTreeMap<NameId, ExporterSeen>,
    pub(crate) services: BTreeMap<NameId, ServiceSeen>,
    /// Spans of services past the bound.
    pub(crate) uncounted: u64,
    /// Spans that ended in each second.
    pub(crate) seconds: BTreeMap<u64, u64>,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) texts: Texts,
    pub(crate) windows: WindowsSeen,
    /// One trace in so many was looked at as a whole.
    pub(crate) one_in: u64,
    pub(crate) anatomy: Anatomy,
    /// Data points of metrics, and records of them that could not be read.
    pub(crate) measured: u64,
    pub(crate) measured_poison: u64,
    /// What services counted themselves, as far as it could be compared.
    pub(crate) counted: BTreeMap<NameId, Option<CountedSeen>>,
}

/// Half a minute of a service: by its spans, and as it counted itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedSeen {
    pub(crate) seen: Tally,
    pub(crate) said: Tally,
    /// What follows; nothing where not all of its instances count.
    pub(crate) known: Option<Known>,
}

impl CountedSeen {
    /// Calls that spans show, of those counted.
    pub(crate) fn calls_share(&self) -> f64 {
        self.seen.calls.calls() / self.said.calls.calls().max(1.0)
    }

    /// The same of calls that failed, if any did.
    pub(crate) fn failures_share(&self) -> Option<f64> {
        (self.said.failed.calls() >= 1.0).then(|| self.seen.failed.calls() / self.said.failed.calls())
    }
}

/// A partition of a topic, or a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionSeen {
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) spans: u64,
    /// How far behind the newest end on this partition spans came.
    pub(crate) lateness: Delays,
    /// How old spans were when their record was written, where records say when that was.
    pub(crate) age: Delays,
    pub(crate) newest_ns: u64,
}

/// Who sends: an instance, or a service that does not say its instances.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExporterSeen {
    pub(crate) service: NameId,
    pub(crate) spans: u64,
    pub(crate) lateness: Delays,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    /// The longest time between two ends, nanoseconds, as they came.
    pub(crate) pause_ns: u64,
}

/// What a service's spans say.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceSeen {
    pub(crate) spans: u64,
    pub(crate) server: u64,
    pub(crate) client: u64,
    pub(crate) internal: u64,
    pub(crate) messaging: u64,
    pub(crate) proxy: u64,
    pub(crate) operations: BTreeMap<NameId, u64>,
    /// Version → when it was first seen.
    pub(crate) versions: BTreeMap<NameId, u64>,
    pub(crate) instances: BTreeSet<NameId>,
    pub(crate) without_version: u64,
    pub(crate) without_zone: u64,
    pub(crate) without_instance: u64,
    /// Client spans that do not say whom they call.
    pub(crate) without_peer: u64,
    pub(crate) attempts_said: u64,
    pub(crate) deadlines_said: u64,
    /// Spans that stand for more than themselves.
    pub(crate) weighted: u64,
    /// The sum of all weights, in 1/1024.
    pub(crate) weight: u64,
    pub(crate) unweighted: u64,
    pub(crate) biased: u64,
}

/// What the windows counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WindowsSeen {
    pub(crate) windows: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) future: u64,
    pub(crate) retries: u64,
}

/// Texts of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(BTreeMap<NameId, String>);

impl Texts {
    pub(crate) fn learn(&mut self, named: &model::Named) {
        if self.0.len() < TEXTS_MAX {
            self.0.entry(named.id).or_insert_with(|| named.text.clone());
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NameId, &str)> {
        self.0.iter().map(|(id, text)| (*id, text.as_str()))
    }

    /// The text, or that there is none.
    pub(crate) fn of(&self, id: NameId) -> &str {
        match self.0.get(&id) {
            Some(text) => text,
            None if id.is_some() => "?",
            None => "-",
        }
    }
}

impl Seen {
    /// Counts one span of the service that sent it.
    pub(crate) fn count(&mut self, span: &Span) {
        self.spans += 1;
        self.first_ns = if self.first_ns == 0 { span.end_ns } else { self.first_ns.min(span.end_ns) };
        self.last_ns = self.last_ns.max(span.end_ns);
        let second = span.end_ns / 1_000_000_000;
        if self.seconds.len() < SECONDS_MAX || self.seconds.contains_key(&second) {
            *self.seconds.entry(second).or_default() += 1;
        }
        if self.services.len() >= SERVICES_MAX && !self.services.contains_key(&span.service) {
            self.uncounted += 1;
            return;
        }
        self.services.entry(span.service).or_default().count(span);
    }

    /// How long the telemetry is, seconds; breaks of more than `break_s` are left out.
    pub(crate) fn seconds_seen(&self, break_s: u64) -> u64 {
        let mut seconds = self.seconds.keys();
        let Some(mut last) = seconds.next().copied() else { return 0 };
        let mut seen = 1;
        for second in seconds {
            seen += if second - last <= break_s { second - last } else { 1 };
            last = *second;
        }
        seen
    }
}

impl ServiceSeen {
    fn count(&mut self, span: &Span) {
        self.spans += 1;
        match span.kind {
            SpanKind::Server => self.server += 1,
            SpanKind::Client => self.client += 1,
            SpanKind::Internal => self.internal += 1,
            SpanKind::Producer | SpanKind::Consumer => self.messaging += 1,
        }
        self.proxy += u64::from(span.flags.has(SpanFlags::PROXY));
        *self.operations.entry(span.operation).or_default() += 1;
        if span.version.is_some() {
            if self.versions.len() < VALUES_MAX || self.versions.contains_key(&span.version) {
                let first = self.versions.entry(span.version).or_insert(span.end_ns);
                *first = (*first).min(span.end_ns);
            }
        } else {
            self.without_version += 1;
        }
        if span.instance.is_some() {
            if self.instances.len() < VALUES_MAX {
                self.instances.insert(span.instance);
            }
        } else {
            self.without_instance += 1;
        }
        self.without_zone += u64::from(!span.zone.is_some());
        if span.kind == SpanKind::Client {
            self.without_peer += u64::from(!span.peer.is_some());
            self.attempts_said += u64::from(span.attempt != 0);
            self.deadlines_said += u64::from(span.timeout_ms != 0);
        }
        self.weight += span.weight.count().0;
        self.weighted += u64::from(span.weight.is_known() && span.weight != Weight::ONE);
        self.unweighted += u64::from(!span.weight.is_known());
        self.biased += u64::from(span.flags.has(SpanFlags::BIASED));
    }
}
