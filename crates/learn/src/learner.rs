//! Everything that is learned, per service and edge, fed with rolled-up windows and guards' reports.

use crate::baseline::BaselineConfig;
use crate::capacity::Load;
use crate::inward::{Inward, Inwards};
use crate::inward::{refused, worked_median};
use crate::join::{Joined, join};
use crate::judge::{Judged, Measured, judge, normal_share, share_noise};
use crate::pool::{Pool, Pooled};
use crate::refusals::{Heard, Refusals};
use crate::signals::Signals;
use crate::{
    Capacity, CapacityConfig, Demand, Deviation, Forecast, QueueDelay, QueueSource, Reservoir, Signal, Subject,
};
use model::{
    EdgeId, EdgeKind, EdgeRow, Failure, GuardReport, Interval, NameId, Rollup, ServiceRow, SparseHistogram, Threshold,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

/// Edges that are looked at ahead of their turn: their cache misses overlap instead of queueing up.
const WARM: usize = 16;

/// How things are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnConfig {
    /// Windows of a quiet subject are pooled until they hold this many calls.
    pub calls_min: f64,
    /// Values before a threshold is known.
    pub warmup: u32,
    /// Values over which a threshold moves.
    pub memory: u32,
    /// A limit lies this many spreads above normal.
    pub z: f64,
    /// Frozen values after which a steady new level may be taken over.
    pub reprobe_after: u32,
    /// Services at most.
    pub services_max: usize,
    /// Edges at most.
    pub edges_max: usize,
    /// What deviated counts as current for this long after its last judgement, ms.
    pub fresh_ms: u64,
    /// Capacity.
    pub capacity: CapacityConfig,
}

impl Default for LearnConfig {
    fn default() -> Self {
        LearnConfig {
            calls_min: 20.0,
            warmup: 20,
            memory: 300,
            z: 4.0,
            reprobe_after: 600,
            services_max: 2_000,
            edges_max: 10_000,
            fresh_ms: 5_000,
            capacity: CapacityConfig::default(),
        }
    }
}

impl LearnConfig {
    /// How `signal` is learned. Floors: latency and gaps must rise by a factor e^(z·0.1) ≈ 1.5 and by 5 ms, error shares
    /// by three points, amplification to 1.2 times (the level that separated best in simulations: notes §14.1).
    pub fn baseline(&self, signal: Signal) -> BaselineConfig {
        let (log, spread_floor, rise_floor, healthy_max) = match signal {
            Signal::ErrorShare => (false, 0.005, 0.03, 0.25),
            Signal::Amplification => (true, 0.02, 0.2, 2.0),
            Signal::LatencyP99 | Signal::Exclusive | Signal::Duration | Signal::Gap => (true, 0.1, 5.0, 60_000.0),
            Signal::QueueDelay => (false, 2.0, 10.0, 1_000.0),
        };
        BaselineConfig {
            log,
            warmup: self.warmup,
            memory: self.memory,
            z: self.z,
            spread_floor,
            rise_floor,
            healthy_max,
            reprobe_after: self.reprobe_after,
        }
    }
}

/// What is learned of a whole fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    pub(crate) config: LearnConfig,
    pub(crate) services: BTreeMap<NameId, Known>,
    pub(crate) edges: BTreeMap<EdgeId, KnownEdge>,
    deviating: BTreeSet<(Subject, Signal)>,
    end_ns: u64,
}

impl Default for Learner {
    fn default() -> Self {
        Learner::new(LearnConfig::default())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownEdge {
    pool: Pool,
    pub(crate) signals: Signals,
    last_ns: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pool: ServiceRow,
    pub(crate) signals: Signals,
    pub(crate) healthy: Reservoir,
    capacity: Capacity,
    /// What its guards say; nothing where there are none.
    heard: Option<Box<Heard>>,
    demand: Demand,
    delay: Option<QueueDelay>,
    last_ns: u64,
}

/// Brings what is read of a service's row into the cache; the number says nothing.
fn warm(row: &ServiceRow) -> u64 {
    let first = |recorded: &SparseHistogram| recorded.0.iter().step_by(4).fold(0, |sum, pair| sum ^ pair.0);
    first(&row.exclusive) ^ first(&row.duration)
}

impl Known {
    /// The same for what is known of it.
    fn warm(&self) -> u64 {
        self.signals.warm() ^ self.healthy.warm() ^ self.capacity.warm() ^ self.demand.last_rps().to_bits()
    }
}

impl KnownEdge {
    /// Judges and learns a window's row.
    fn observe(
        &mut self,
        config: &LearnConfig,
        deviating: &mut BTreeSet<(Subject, Signal)>,
        id: EdgeId,
        row: &EdgeRow,
        end_ns: u64,
        sick: bool,
    ) {
        self.last_ns = end_ns;
        if row.biased {
            self.pool = Pool::default();
        } else if let Some(pool) = self.pool.judgeable(row, config.calls_min) {
            self.judge(config, deviating, id, row.key.kind, &pool, end_ns, sick);
        }
    }

    /// The edge's normal gap in ms, as far as it is known.
    fn normal_gap_ms(&self, config: &LearnConfig) -> Option<f64> {
        self.signals.get(&Signal::Gap)?.baseline.normal(&config.baseline(Signal::Gap))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one judgement, borrowed apart")]
    fn judge(
        &mut self,
        config: &LearnConfig,
        deviating: &mut BTreeSet<(Subject, Signal)>,
        id: EdgeId,
        kind: EdgeKind,
        pool: &Pooled,
        end_ns: u64,
        sick: bool,
    ) {
        // As sure as the spans behind the counts make it, not the calls that they stand for.
        let calls = pool.seen;
        let normal = normal_share(&self.signals, config);
        let noise = 1.0 / libm::sqrt(calls);
        let first = calls * pool.first_attempts.share_of(pool.calls).unwrap_or(0.0);
        let share = pool.failed.share_of(pool.calls);
        let gap_us = pool.gap_p90_us.filter(|_| kind == EdgeKind::Call);
        let measured: [Option<Measured>; 4] = [
            share.map(|share| (Signal::ErrorShare, share, share_noise(normal, calls))),
            pool.client_p99_us.map(|us| (Signal::LatencyP99, us as f64 / 1000.0, noise)),
            (first >= config.calls_min / 2.0)
                .then(|| (Signal::Amplification, (calls / first).max(1.0), 0.5 / libm::sqrt(first))),
            gap_us.map(|us| (Signal::Gap, us as f64 / 1000.0, noise)),
        ];
        let sick = sick || !pool.shed.is_zero();
        judge(config, deviating, Subject::Edge(id), &mut self.signals, &measured, calls, end_ns, sick);
    }
}

impl Learner {
    /// Knows nothing yet.
    pub fn new(config: LearnConfig) -> Learner {
        Learner { config, services: BTreeMap::new(), edges: BTreeMap::new(), deviating: BTreeSet::new(), end_ns: 0 }
    }

    /// Judges and learns a window. Nothing is learned of services in `unhealthy` (open findings, active commands) and of
    /// the edges from and to them.
    pub fn observe(&mut self, rollup: &Rollup, unhealthy: &BTreeSet<NameId>) {
        self.end_ns = self.end_ns.max(rollup.end_ns);
        let inward = self.observe_edges(rollup, unhealthy);
        let idle: Vec<NameId> = self.services.keys().filter(|id| !inward.contains_key(id)).copied().collect();
        let nothing = Inward::default();
        let all: Vec<(NameId, &Inward)> =
            inward.iter().map(|(id, inward)| (*id, inward)).chain(idle.into_iter().map(|id| (id, &nothing))).collect();
        for ahead in all.chunks(WARM) {
            for (id, _) in ahead {
                black_box((self.services.get(id).map(Known::warm), rollup.services.get(id).map(|row| warm(row))));
            }
            for (id, inward) in ahead {
                self.observe_service(*id, rollup, inward, unhealthy.contains(id));
            }
        }
    }

    /// Takes in a guard's report.
    pub fn report(&mut self, report: &GuardReport) {
        let id = NameId::of(&report.service);
        if id.is_some() && (self.services.contains_key(&id) || self.services.len() < self.config.services_max) {
            let known = self.services.entry(id).or_default();
            known.capacity.report(&self.config.capacity, report);
            known.heard.get_or_insert_default().report(&self.config.capacity, report);
        }
    }

    /// Forgets what `keep` does not want: the engine keeps what the graph keeps.
    pub fn retain(&mut self, keep: impl Fn(Subject) -> bool) {
        self.services.retain(|id, _| keep(Subject::Service(*id)));
        self.edges.retain(|id, _| keep(Subject::Edge(*id)));
        self.deviating.retain(|(subject, _)| keep(*subject));
    }

    /// What was learned of a signal, beside its last value; `None` if it was never measured.
    pub fn threshold(&self, subject: Subject, signal: Signal) -> Option<Threshold> {
        let judged = self.judged(subject, signal)?;
        Some(judged.baseline.threshold(&self.config.baseline(signal), judged.noise))
    }

    /// How far a signal was from normal when it was last measured; `None` if never, or while normal is not yet known.
    pub fn deviation(&self, subject: Subject, signal: Signal) -> Option<Deviation> {
        let judged = self.judged(subject, signal)?;
        let threshold = judged.baseline.threshold(&self.config.baseline(signal), judged.noise);
        threshold.normal?;
        Some(Deviation { subject, signal, z: judged.z, threshold, calls: judged.calls, at_ns: judged.at_ns })
    }

    /// When a subject's calls were last compared with a normal that is known, the window's end in Unix nanoseconds; `None` for
    /// never. An idle guard that reports an empty queue says nothing of calls.
    pub fn judged_ns(&self, subject: Subject) -> Option<u64> {
        let signals = match subject {
            Subject::Service(id) => &self.services.get(&id)?.signals,
            Subject::Edge(id) => &self.edges.get(&id)?.signals,
        };
        let known = |signal: &Signal| signals.get(signal).filter(|judged| judged.baseline.is_known());
        signals
            .keys()
            .filter(|signal| **signal != Signal::QueueDelay)
            .filter_map(known)
            .map(|judged| judged.at_ns)
            .max()
    }

    /// What deviates now, sorted by subject and signal.
    pub fn deviations(&self) -> Vec<Deviation> {
        let oldest = self.end_ns.saturating_sub(self.config.fresh_ms.saturating_mul(1_000_000));
        let current = self.deviating.iter().filter_map(|(subject, signal)| self.deviation(*subject, *signal));
        current.filter(|deviation| deviation.at_ns >= oldest).collect()
    }

    /// What a service can serve, requests per second; `None` while no saturation was observed.
    pub fn capacity(&self, service: NameId) -> Option<Interval> {
        self.services.get(&service)?.capacity.rps()
    }

    /// What the guards of a service admit and refuse, by class; `None` without a fresh report.
    pub fn refusals(&self, service: NameId) -> Option<Refusals> {
        self.services.get(&service)?.heard.as_ref()?.sum(&self.config.capacity, self.end_ns / 1_000_000)
    }

    /// The same of all services with guards, sorted.
    pub fn all_refusals(&self) -> impl Iterator<Item = (NameId, Refusals)> {
        let now_ms = self.end_ns / 1_000_000;
        let guarded = self.services.iter().filter_map(|(id, known)| Some((*id, known.heard.as_ref()?)));
        guarded.filter_map(move |(id, heard)| Some((id, heard.sum(&self.config.capacity, now_ms)?)))
    }

    /// When a service's saturation was last observed, Unix ms; `None` for never.
    pub fn saturated_ms(&self, service: NameId) -> Option<u64> {
        self.services.get(&service).map(|known| known.capacity.observed_ms()).filter(|at| *at > 0)
    }

    /// How long work waits at a service, above normal; `None` while that is not known.
    pub fn queue_delay(&self, service: NameId) -> Option<QueueDelay> {
        self.services.get(&service)?.delay
    }

    /// Where a service's demand (first attempts) is going; `None` while there are too few windows.
    pub fn forecast(&self, service: NameId) -> Option<Forecast> {
        let known = self.services.get(&service)?;
        known.demand.forecast(known.capacity.rps())
    }

    /// What a request costs a healthy service in its own time, median ms; `None` while too few were seen.
    pub fn healthy_work_ms(&self, service: NameId) -> Option<f64> {
        self.services.get(&service)?.healthy.quantile_ms(0.5, self.config.calls_min as u64)
    }

    fn judged(&self, subject: Subject, signal: Signal) -> Option<&Judged> {
        match subject {
            Subject::Service(id) => self.services.get(&id)?.signals.get(&signal),
            Subject::Edge(id) => self.edges.get(&id)?.signals.get(&signal),
        }
    }

    /// Judges and learns every edge's row, and sums up what they say of their callees.
    fn observe_edges(&mut self, rollup: &Rollup, unhealthy: &BTreeSet<NameId>) -> BTreeMap<NameId, Inward> {
        let Learner { config, edges, deviating, end_ns, .. } = self;
        let mut inward = Inwards::of_services(rollup.services.keys().copied());
        let mut observe = |id: EdgeId, known: &mut KnownEdge, row: &EdgeRow| {
            let sick = unhealthy.contains(&id.caller) || unhealthy.contains(&id.callee);
            known.observe(config, deviating, id, row, *end_ns, sick);
            inward.add(id.callee, row, known.normal_gap_ms(config));
        };
        let Joined { mut met, strangers } = join(edges, rollup.edges.iter().map(|(id, row)| (*id, &**row)));
        for ahead in met.chunks_mut(WARM) {
            for (_, known, row) in ahead.iter() {
                black_box((known.signals.warm(), row.client.0.first(), row.gap.0.first()));
            }
            ahead.iter_mut().for_each(|(id, known, row)| observe(*id, known, row));
        }
        for (id, row) in strangers {
            if edges.len() < config.edges_max {
                observe(id, edges.entry(id).or_default(), row);
            } else {
                observe(id, &mut KnownEdge::default(), row);
            }
        }
        inward.finish()
    }

    fn observe_service(&mut self, id: NameId, rollup: &Rollup, inward: &Inward, sick: bool) {
        if !self.services.contains_key(&id) && self.services.len() >= self.config.services_max {
            return;
        }
        let config = &self.config;
        let known = self.services.entry(id).or_default();
        known.last_ns = self.end_ns;
        let nothing = ServiceRow::default();
        let row = rollup.services.get(&id).map_or(&nothing, |row| &**row);
        let seconds = rollup.seconds();
        let reported = known.capacity.reported_delay_ms(&config.capacity, rollup.end_ms());
        let alone = known.pool.calls.is_zero() && row.seen() >= config.calls_min;
        if !alone {
            known.pool.absorb(row);
        }
        let enough = alone || known.pool.seen() >= config.calls_min;
        let pooled = if enough && !alone { std::mem::take(&mut known.pool) } else { ServiceRow::default() };
        let pool = if alone { row } else { &pooled };
        let calls = pool.seen();
        let normal = normal_share(&known.signals, config);
        let noise = 1.0 / libm::sqrt(calls);
        let share = pool.failed().share_of(pool.calls);
        let (exclusive_us, duration_us) = (pool.exclusive.quantile_us(500), pool.duration.quantile_us(990));
        let measured: [Option<Measured>; 4] = [
            share.map(|share| (Signal::ErrorShare, share, share_noise(normal, calls))),
            exclusive_us.map(|us| (Signal::Exclusive, us as f64 / 1000.0, 0.5 * noise)),
            duration_us.map(|us| (Signal::Duration, us as f64 / 1000.0, noise)),
            reported.map(|delay| (Signal::QueueDelay, delay.low, 0.0)),
        ];
        let sick = sick || !row.failures[Failure::Shed.index()].is_zero();
        let subject = Subject::Service(id);
        judge(config, &mut self.deviating, subject, &mut known.signals, &measured, calls, self.end_ns, sick);
        let deviates = known.signals.keys().any(|signal| self.deviating.contains(&(subject, *signal)));
        if enough && !sick && !deviates {
            known.healthy.add(&pool.exclusive);
        }
        let work_ms = known.healthy.quantile_ms(0.5, config.calls_min as u64);
        let refused = refused(&row.failures);
        known.delay = match (reported, inward.gap_above_ms) {
            (Some(delay_ms), _) => Some(QueueDelay { delay_ms, source: QueueSource::Guard, at_ns: self.end_ns }),
            (None, Some(gap_ms)) => {
                let now_ms =
                    row.exclusive.quantile_us(worked_median(row.calls, refused)).map_or(0.0, |us| us as f64 / 1000.0);
                let above_ms = work_ms.map_or(now_ms, |work| (now_ms - work).max(0.0));
                let delay_ms = Interval { low: gap_ms, high: gap_ms + above_ms };
                Some(QueueDelay { delay_ms, source: QueueSource::Spans, at_ns: self.end_ns })
            }
            (None, None) => known.delay.filter(|delay| delay.at_ns.saturating_add(3_000_000_000) >= self.end_ns),
        };
        if let (None, Some(waited_ms)) = (reported, inward.censored_ms) {
            // Where most callers give up, no pair tells the delay: it is censored at the timeout, not missing. Only the
            // high end moves, because slow work without a queue looks the same to the caller.
            let waited_ms = (waited_ms - work_ms.unwrap_or(0.0)).max(0.0);
            let low = known.delay.map_or(0.0, |delay| delay.delay_ms.low);
            let high = known.delay.map_or(0.0, |delay| delay.delay_ms.high).max(waited_ms).max(low);
            known.delay =
                Some(QueueDelay { delay_ms: Interval { low, high }, source: QueueSource::Spans, at_ns: self.end_ns });
        }
        let completed = row.calls.minus(refused).calls() / seconds;
        let served = row.calls.calls() / seconds;
        let offered = if inward.calls > 0.0 { inward.calls / seconds } else { served };
        let first = if inward.first_attempts > 0.0 { inward.first_attempts / seconds } else { served };
        known.demand.add(self.end_ns, first);
        if inward.biased {
            return;
        }
        let delay_ms = match known.delay {
            Some(delay) if delay.source == QueueSource::Guard => Some(delay.delay_ms.low),
            Some(delay) => Some(delay.delay_ms.high),
            None => None,
        };
        let limit_ms = work_ms.unwrap_or(10.0).max(10.0);
        let end_ms = rollup.end_ms();
        let load = Load { end_ms, completed_rps: completed, offered_rps: offered, delay_ms, limit_ms };
        known.capacity.observe(&config.capacity, load);
    }
}
