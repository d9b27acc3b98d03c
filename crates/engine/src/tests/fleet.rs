//! A hand-made fleet, a second at a time: `front` → `cart` → `stock`, with `search` beside them. `stock` has a queue;
//! `cart` gives up after a second and tries three times. It obeys the commands it is given, if it is told to.

use crate::{Effect, Engine, Input};
use model::{
    Command, CommandId, Count, Criticality, EdgeKey, EdgeKind, EdgeRow, Failure, FlowKey, FlowRow, GuardReport, Knob,
    Mode, NameId, Named, Obeyed, ServiceKey, ServiceRow, Setting, SparseHistogram, Window,
};
use std::collections::BTreeMap;

pub(super) const START_MS: u64 = 1_700_000_000_000;
const TIMEOUT_MS: f64 = 1000.0;
const WORK_MS: f64 = 10.0;
const DEMAND: f64 = 200.0;
const CAPACITY: f64 = 250.0;

/// Shares of demand by criticality, lowest first.
const MIX: [f64; 4] = [0.2, 0.0, 0.6, 0.2];

#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) second: u64,
    pub(super) demand: f64,
    pub(super) capacity: f64,
    pub(super) attempts: usize,
    pub(super) completeness_permille: u16,
    /// Of the thousand spans of a window.
    pub(super) late: u64,
    pub(super) obeys: bool,
    pub(super) goodput: f64,
    queue: f64,
    retrying: Vec<f64>,
    in_force: BTreeMap<(String, Knob), (CommandId, Setting)>,
}

impl Fleet {
    pub(super) fn new() -> Fleet {
        Fleet {
            second: 0,
            demand: DEMAND,
            capacity: CAPACITY,
            attempts: 3,
            completeness_permille: 1000,
            late: 0,
            obeys: true,
            goodput: DEMAND,
            queue: 0.0,
            retrying: vec![0.0; 3],
            in_force: BTreeMap::new(),
        }
    }

    pub(super) fn end_ms(&self) -> u64 {
        START_MS + self.second * 1000
    }

    /// What a guard does with records on the control topic.
    pub(super) fn obey(&mut self, effects: &[Effect]) {
        for command in commands(effects).filter(|command| command.mode == Mode::Act && self.obeys) {
            let key = (command.target.to_string(), command.knob);
            match command.setting {
                Some(Setting::Purge { .. }) => {
                    self.queue = 0.0;
                    self.retrying.iter_mut().for_each(|waiting| *waiting = 0.0);
                }
                Some(setting) => {
                    self.in_force.insert(key, (command.id.clone(), setting));
                }
                None => {
                    self.in_force.remove(&key);
                }
            }
        }
    }

    fn setting(&self, target: &str, knob: Knob) -> Option<Setting> {
        self.in_force.get(&(target.to_owned(), knob)).map(|(_, setting)| *setting)
    }

    /// One second passes: guards' reports, then the window.
    pub(super) fn step(&mut self) -> Vec<Input> {
        self.second += 1;
        let admitted_share = match self.setting("front", Knob::Admission) {
            Some(setting) => 1.0 - decide::shed::share(setting, &MIX),
            None => 1.0,
        };
        let first = self.demand * admitted_share;
        let budget = match self.setting("cart->stock", Knob::RetryBudget) {
            Some(Setting::RetryBudget { ratio_permille }) => first * f64::from(ratio_permille) / 1000.0,
            _ => f64::INFINITY,
        };
        let wanted: f64 = self.retrying.iter().sum();
        let kept = if wanted > budget { budget / wanted } else { 1.0 };
        let tries: Vec<f64> =
            std::iter::once(first).chain(self.retrying.iter().map(|waiting| waiting * kept)).collect();
        let arrivals: f64 = tries.iter().sum();
        let retries = arrivals - first;

        let room = match self.setting("stock", Knob::QueueBound) {
            Some(Setting::QueueBound { work_ms }) => self.capacity * (1.0 + f64::from(work_ms) / 1000.0),
            _ => f64::INFINITY,
        };
        let refused = (self.queue + arrivals - room).max(0.0).min(arrivals);
        self.queue += arrivals - refused;
        let served = self.queue.min(self.capacity);
        self.queue -= served;
        let delay_ms = 1000.0 * self.queue / self.capacity;
        let late = delay_ms + WORK_MS > TIMEOUT_MS;
        let timeouts = if late { arrivals - refused } else { 0.0 };
        let good = if late { 0.0 } else { served.min(first) };
        self.goodput = good;

        // What timed out is tried again in the next second, up to the number of attempts; what was refused is not.
        let timed_share = if arrivals > 0.0 { timeouts / arrivals } else { 0.0 };
        self.retrying = tries.iter().take(self.attempts - 1).map(|tries| tries * timed_share).collect();

        let wait_ms = if late { TIMEOUT_MS } else { delay_ms + WORK_MS };
        let calls = if late { timeouts + refused } else { served + refused };
        let stock = Edge {
            calls,
            first,
            retries: retries.min(calls),
            timeouts,
            refused,
            wait_ms,
            gap_ms: delay_ms.min(1000.0),
            wasted: if late { served } else { 0.0 },
        };
        let failed = (first - good).max(0.0);
        let cart =
            Edge { calls: first, first, timeouts: failed, wait_ms: wait_ms + 2.0, gap_ms: 1.0, ..Edge::default() };
        let search = Edge { calls: 50.0, first: 50.0, wait_ms: 5.0, gap_ms: 1.0, ..Edge::default() };
        let shed = self.demand - first;
        let window = Window {
            end_ns: self.end_ms() * 1_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: self.completeness_permille,
            late: self.late,
            spans: 1000,
            names: ["front", "cart", "stock", "search", "buy", "get"].iter().map(|name| Named::of(name)).collect(),
            services: sorted_services(vec![
                service("front", self.demand, self.demand, failed, shed, 2.0),
                service("cart", first, 0.0, failed, 0.0, 2.0),
                service("stock", served + refused, 0.0, 0.0, refused, WORK_MS),
                service("search", 50.0, 0.0, 0.0, 0.0, 3.0),
            ]),
            edges: sorted_edges(vec![
                edge("front", "cart", &cart),
                edge("cart", "stock", &stock),
                edge("front", "search", &search),
            ]),
            flows: flows(self.demand, first, good),
            ..Window::default()
        };
        let mut inputs: Vec<Input> =
            ["front", "cart"].iter().map(|name| Input::Report(self.report(name, 0.0, 0.0))).collect();
        inputs.push(Input::Report(self.report("stock", delay_ms, served)));
        inputs.push(Input::Window(window));
        inputs.push(Input::Tick { now_ms: self.end_ms() + 500 });
        inputs
    }

    fn report(&self, service: &str, delay_ms: f64, served: f64) -> GuardReport {
        let full = self.queue > 1.0 && service == "stock";
        GuardReport {
            service: service.to_owned(),
            instance: format!("{service}-1"),
            at_ms: self.end_ms(),
            queued: if full { self.queue as u32 } else { 0 },
            queue_delay_ms: delay_ms as u32,
            in_flight: if full { 10 } else { 2 },
            workers: 10,
            completed: served as u32,
            obeyed: if self.obeys {
                self.in_force.values().map(|(id, _)| Obeyed { id: id.clone(), ..Obeyed::default() }).collect()
            } else {
                Vec::new()
            },
            ..GuardReport::default()
        }
    }
}

#[derive(Default)]
struct Edge {
    calls: f64,
    first: f64,
    retries: f64,
    timeouts: f64,
    refused: f64,
    wait_ms: f64,
    gap_ms: f64,
    wasted: f64,
}

fn count(calls: f64) -> Count {
    Count((calls.max(0.0) * 1024.0) as u64)
}

fn at(ms: f64, calls: f64) -> SparseHistogram {
    if calls <= 0.0 {
        SparseHistogram::default()
    } else {
        SparseHistogram(vec![((ms.max(0.001) * 1000.0) as u64, count(calls))])
    }
}

fn service(name: &str, calls: f64, entries: f64, failed: f64, shed: f64, work_ms: f64) -> ServiceRow {
    let mut row = ServiceRow {
        key: ServiceKey { service: NameId::of(name), operation: NameId::of("get"), ..ServiceKey::default() },
        calls: count(calls),
        entries: count(entries),
        duration: at(work_ms, calls),
        exclusive: at(work_ms, calls),
        ..ServiceRow::default()
    };
    row.failures[Failure::Error.index()] = count(failed);
    row.failures[Failure::Shed.index()] = count(shed);
    row
}

fn edge(caller: &str, callee: &str, edge: &Edge) -> EdgeRow {
    let mut row = EdgeRow {
        key: EdgeKey {
            caller: NameId::of(caller),
            caller_operation: NameId::of("get"),
            callee: NameId::of(callee),
            callee_operation: NameId::of("get"),
            kind: EdgeKind::Call,
        },
        calls: count(edge.calls),
        first_attempts: count((edge.calls - edge.retries).min(edge.first)),
        retries: count(edge.retries),
        client: at(edge.wait_ms, edge.calls),
        server: at(WORK_MS, edge.calls),
        gap: at(edge.gap_ms, edge.calls),
        wasted: count(edge.wasted),
        timeout_us: if edge.timeouts > 0.0 { 1_000_000 } else { 0 },
        ..EdgeRow::default()
    };
    row.failures[Failure::Timeout.index()] = count(edge.timeouts);
    row.failures[Failure::Shed.index()] = count(edge.refused);
    row
}

fn flows(demand: f64, first: f64, good: f64) -> Vec<FlowRow> {
    let mut rows: Vec<FlowRow> = Criticality::ALL
        .iter()
        .filter(|level| MIX[level.index()] > 0.0)
        .map(|level| {
            let share = MIX[level.index()];
            let mut visits = vec![
                (NameId::of("front"), count(demand * share)),
                (NameId::of("cart"), count(first * share)),
                (NameId::of("stock"), count(first * share)),
            ];
            visits.sort();
            FlowRow {
                key: FlowKey {
                    entry: NameId::of("front"),
                    operation: NameId::of("buy"),
                    criticality: *level,
                    cohort: 255,
                },
                requests: count(demand * share),
                good: count(good * share),
                visits,
            }
        })
        .collect();
    rows.sort_by_key(|row| row.key);
    rows
}

fn sorted_services(mut rows: Vec<ServiceRow>) -> Vec<ServiceRow> {
    rows.sort_by_key(|row| row.key);
    rows
}

fn sorted_edges(mut rows: Vec<EdgeRow>) -> Vec<EdgeRow> {
    rows.sort_by_key(|row| row.key);
    rows
}

pub(super) fn commands(effects: &[Effect]) -> impl Iterator<Item = &Command> {
    effects.iter().filter_map(|effect| if let Effect::Command(command) = effect { Some(command) } else { None })
}

/// Runs a fleet and an engine together and keeps everything that was put in and came out, with its second.
pub(super) struct Run {
    pub(super) fleet: Fleet,
    pub(super) engine: Engine,
    pub(super) inputs: Vec<Input>,
    pub(super) effects: Vec<(u64, Effect)>,
    pub(super) goodput: Vec<f64>,
}

impl Run {
    pub(super) fn new(engine: Engine) -> Run {
        Run { fleet: Fleet::new(), engine, inputs: Vec::new(), effects: Vec::new(), goodput: Vec::new() }
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        for _ in 0..seconds {
            for input in self.fleet.step() {
                self.put(input);
            }
            self.goodput.push(self.fleet.goodput);
        }
    }

    pub(super) fn put(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.engine.apply(&input);
        let broken: Vec<_> = crate::invariants::broken(&self.engine, &effects).iter().map(|one| one.sentence).collect();
        assert!(broken.is_empty(), "second {}: {broken:?}\n{effects:#?}", self.fleet.second);
        self.fleet.obey(&effects);
        self.inputs.push(input);
        self.effects.extend(effects.iter().cloned().map(|effect| (self.fleet.second, effect)));
        effects
    }

    /// Healthy for a minute, slow for 15 seconds, then the fault is lifted.
    pub(super) fn storm(&mut self) {
        self.seconds(60);
        self.fleet.capacity = 60.0;
        self.seconds(15);
        self.fleet.capacity = CAPACITY;
    }

    pub(super) fn commands(&self) -> Vec<(u64, Command)> {
        let command = |(second, effect): &(u64, Effect)| match effect {
            Effect::Command(command) => Some((*second, command.clone())),
            _ => None,
        };
        self.effects.iter().filter_map(command).collect()
    }

    pub(super) fn findings(&self) -> Vec<(u64, model::Finding)> {
        let finding = |(second, effect): &(u64, Effect)| match effect {
            Effect::Finding(finding) => Some((*second, finding.clone())),
            _ => None,
        };
        self.effects.iter().filter_map(finding).collect()
    }

    pub(super) fn audit(&self) -> String {
        let line = |(second, effect): &(u64, Effect)| match effect {
            Effect::Audit(entry) => Some(format!("{second} {:?} {}: {}", entry.kind, entry.subject, entry.text)),
            _ => None,
        };
        self.effects.iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }
}
