//! The whole pipeline on a broker, in this process.

use super::Plan;
use super::child::LoadChild;
use super::report::{Latency, Live, Trial, Work};
use super::search::{best, is_sustained, search};
use crate::config::{Config, Grace, Length};
use crate::exit::Failure;
use crate::wiring;
use kafka::{Connection, Provision, Telemetry, Topics};
use model::{Mode, Order, OrderKind};
use runtime::{Beginning, Broker, Handle, Latencies, Pipeline, Usage};
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Partitions of the telemetry topic on a given broker.
const PARTITIONS: i32 = 8;
/// The share of the sustained rate at which latencies are measured.
const STEADY: f64 = 0.7;
/// How long a window waits for what is late.
const GRACE: Length = Length::from_ms(500);
/// The steady load lasts so many trials' time.
const STEADY_WINDOWS: u32 = 3;
/// What is measured of it begins so long after it: with its first spans event time jumps, and all of the window that the load
/// before it has left open is settled at once.
const WARM_UP: Duration = Duration::from_secs(3);
/// The embedded broker drops what it has no room for: when nothing new has come for so long, the rest is gone.
const SETTLED: Duration = Duration::from_secs(3);
/// A real one keeps everything, but its machine may be busy.
const SETTLED_REAL: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(180);
const DRAIN: Duration = Duration::from_secs(20);

/// Measures one mix.
pub(super) fn measure(plan: &Plan, mix: &str, tell: &dyn Fn(&str)) -> Result<Live, Failure> {
    let prefix = format!("stopbank.bench.{}.{mix}", std::process::id());
    let topics = Topics::prefixed(&prefix);
    if let Some(brokers) = &plan.brokers {
        let telemetry = Telemetry::Create { partitions: PARTITIONS };
        let provision = Provision { telemetry, ..Provision::default() };
        kafka::ensure_topics(&Connection::to(brokers), &topics, &provision).map_err(kafka_failure)?;
    }
    let measured = with_load(plan, mix, &prefix, &topics, tell);
    if let Some(brokers) = &plan.brokers {
        kafka::remove_topics(&Connection::to(brokers), &topics).map_err(kafka_failure)?;
    }
    measured
}

fn with_load(plan: &Plan, mix: &str, prefix: &str, topics: &Topics, tell: &dyn Fn(&str)) -> Result<Live, Failure> {
    tell("making the load");
    let mut load = LoadChild::start(mix, prefix, plan.brokers.as_deref())?;
    tell("writing a backlog");
    load.fill(plan.spans)?;
    tell("reading it back");
    reset_peak();
    let mut bench = Bench { embedded: plan.brokers.is_none(), pipeline: start(plan, &load.brokers, topics)?, load };
    // The election is over when the first spans are there: it is no part of how fast one reads.
    let (began, before, used) = bench.first_spans()?;
    let seconds = bench.settle(began)?;
    let read = bench.spans();
    let backlog = Work::new(read - before, seconds, Usage::now().cpu_s - used);
    let lost = bench.load.sent - read.min(bench.load.sent);
    // The load will want its share of the cores, too.
    let trials = search(backlog.spans_per_s / 2.0, plan.trials, |rate| {
        tell(&format!("trying {rate:.0} spans/s"));
        bench.trial(rate, plan.window, lost)
    })?;
    let best = best(&trials);
    let sustained_spans_per_s = best.map_or(0.0, |trial| trial.offered_per_s);
    let limited_by_load = best.is_some_and(|trial| trial.load_late_ms > 500);
    // Nothing was sustained: latency is measured at what half of the slowest trial was.
    let slowest = trials.iter().map(|trial| trial.offered_per_s).fold(f64::INFINITY, f64::min);
    let rate = if sustained_spans_per_s > 0.0 { sustained_spans_per_s * STEADY } else { slowest / 2.0 };
    tell(&format!("steady at {rate:.0} spans/s"));
    let (steady, disarm_ms) = bench.steady(rate, plan.window * STEADY_WINDOWS)?;
    let state = bench.pipeline.state();
    let [step, commit, command] = {
        let latencies = state.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        [&latencies.step, &latencies.commit, &latencies.command].map(|one| Latency::from(one.quantiles()))
    };
    bench.pipeline.remote().drain_everything(DRAIN);
    let summary = bench.pipeline.wait().map_err(Failure::job)?;
    let (max_rss_mib, edges) = (summary.max_rss_mib, summary.edges);
    Ok(Live {
        backlog,
        sustained_spans_per_s,
        limited_by_load,
        trials,
        steady,
        step,
        commit,
        command,
        disarm_ms,
        max_rss_mib,
        edges,
    })
}

/// The pipeline that `run` starts, on topics of its own, and acting. Two settings are not the defaults: the grace is fixed,
/// because `auto` waits ten seconds in a partition's first half minute, and what is measured should be what comes after it; and
/// memory is what the plan says, because a window and its grace must fit.
fn start(plan: &Plan, brokers: &str, topics: &Topics) -> Result<Handle, Failure> {
    let mut config = Config::default();
    config.kafka.brokers = brokers.to_owned();
    config.domain.name = "bench".to_owned();
    config.engine.mode = Mode::Act;
    config.window.grace = Grace::Fixed(GRACE);
    config.runtime.memory_mib = plan.memory_mib;
    let mut pipeline = wiring::pipeline(&config)?;
    pipeline.topics = topics.clone();
    pipeline.group = topics.traces.first().cloned().unwrap_or_default();
    pipeline.beginning = Beginning::Earliest;
    // What is sustained is read in full.
    pipeline.sample_behind_ms = 0;
    if plan.brokers.is_none() {
        pipeline.broker = Broker::Embedded;
    }
    Pipeline::start(pipeline).map_err(Failure::job)
}

struct Bench {
    embedded: bool,
    pipeline: Handle,
    load: LoadChild,
}

impl Bench {
    fn spans(&self) -> u64 {
        self.pipeline.state().counters.spans.get()
    }

    /// Waits for the first spans. Gives the instant, how many they are, and the CPU seconds used until then.
    fn first_spans(&self) -> Result<(Instant, u64, f64), Failure> {
        let asked = Instant::now();
        while self.spans() == 0 {
            if asked.elapsed() > PATIENCE || self.pipeline.is_finished() {
                return Err(Failure::job("the pipeline reads nothing: see its log above"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok((Instant::now(), self.spans(), Usage::now().cpu_s))
    }

    /// Waits until everything that was sent has been read, as far as the broker has kept it. Gives the seconds from `began` to
    /// the last span.
    fn settle(&self, began: Instant) -> Result<f64, Failure> {
        let settled = if self.embedded { SETTLED } else { SETTLED_REAL };
        let (mut seen, mut last) = (0, began);
        while seen < self.load.sent && (seen == 0 || last.elapsed() < settled) {
            if began.elapsed() > PATIENCE || self.pipeline.is_finished() {
                return Err(Failure::job("the pipeline does not read what was sent: see its log above"));
            }
            let now = self.spans();
            if now > seen {
                (seen, last) = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok((last - began).as_secs_f64())
    }

    /// One rate for so long. `lost` is what the broker had dropped before.
    fn trial(&mut self, rate: f64, window: Duration, lost: u64) -> Result<Trial, Failure> {
        let state = self.pipeline.state();
        let read = || state.counters.spans.get() + lost;
        let (began, before) = (Instant::now(), read());
        self.load.sing(rate, window)?;
        let mut lags = Vec::new();
        let done = self.load.finish(window + PATIENCE, &mut |sent| lags.push(sent.saturating_sub(read())))?;
        let seconds = began.elapsed().as_secs_f64();
        let (sent, now) = (self.load.sent, read());
        let kept_pace = done.late_ms < 500 + window.as_millis() as u64 / 10;
        let trial = Trial {
            offered_per_s: done.offered_per_s,
            read_per_s: (now - before) as f64 / seconds,
            lag_spans: sent.saturating_sub(now),
            sustained: kept_pace && is_sustained(&lags, done.offered_per_s, seconds),
            load_late_ms: done.late_ms,
        };
        self.settle(Instant::now())?;
        Ok(trial)
    }

    /// A steady load, with the latencies of this time alone; at its end, still under load, a person disarms.
    fn steady(&mut self, rate: f64, length: Duration) -> Result<(Work, f64), Failure> {
        let state = self.pipeline.state();
        let remote = self.pipeline.remote();
        self.load.sing(rate, WARM_UP + length)?;
        let measured_at = Instant::now() + WARM_UP;
        let disarm_at = measured_at + length.mul_f64(0.9);
        let (mut began, mut took, mut ordered) = (None, 0.0, Ok(()));
        self.load.finish(WARM_UP + length + PATIENCE, &mut |_| {
            let now = Instant::now();
            if began.is_none() && now >= measured_at {
                *state.latencies.lock().unwrap_or_else(PoisonError::into_inner) = Latencies::default();
                began = Some((now, state.counters.spans.get(), Usage::now().cpu_s));
            }
            if took == 0.0 && now >= disarm_at {
                ordered = remote.order(disarm());
                took = now.elapsed().as_secs_f64() * 1000.0;
            }
        })?;
        ordered.map_err(Failure::job)?;
        let (began, spans, used) = began.ok_or_else(|| Failure::job("the load ended before it was steady"))?;
        let (seconds, cpu_s) = (began.elapsed().as_secs_f64(), Usage::now().cpu_s - used);
        Ok((Work::new(self.spans() - spans, seconds, cpu_s), took))
    }
}

fn disarm() -> Order {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    Order { id: format!("bench-{at_ms}"), by: "bench".into(), note: String::new(), at_ms, kind: OrderKind::Disarm }
}

/// Forgets the most memory that was resident so far (Linux: `proc_pid_clear_refs(5)`), so that each mix tells its own.
fn reset_peak() {
    // Where that is not to be had, the figure is the process's whole.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn kafka_failure(error: kafka::Error) -> Failure {
    match error {
        kafka::Error::Unreachable { .. } | kafka::Error::Login { .. } => Failure::unreachable(error),
        _ => Failure::job(error),
    }
}
