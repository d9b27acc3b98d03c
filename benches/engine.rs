//! One engine step (one window of one second) at 100, 1,000 and 10,000 active edges, healthy and in a storm.
//!
//! Floors: linear in active edges; 10,000 edges within 20 ms. From 1,000 edges on the state does not fit into a core's own
//! cache any more, and from 10,000 on not into the shared one: the largest fleet shows that the cost of an edge stays
//! what it is then.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::{Effect, Engine, EngineConfig, Input};
use model::{
    Count, Criticality, EdgeKey, EdgeRow, Failure, FlowKey, FlowRow, Mode, NameId, Named, ServiceKey, ServiceRow,
    SparseHistogram, Window,
};
use std::hint::black_box;

/// Callees of each service.
const FAN_OUT: u64 = 5;
/// Windows before anything is measured: baselines are known then.
const WARM_UP: u64 = 60;

/// A layered fleet: service `i` calls the `FAN_OUT` services after it.
struct Fleet {
    services: u64,
    names: Vec<Named>,
}

impl Fleet {
    fn with_edges(edges: u64) -> Fleet {
        let services = edges / FAN_OUT;
        Fleet { services, names: (0..services + FAN_OUT).map(|index| Named::of(&format!("service-{index}"))).collect() }
    }

    fn window(&self, second: u64, storm: bool) -> Window {
        let operation = NameId::of("GET /thing/{id}");
        let mut services: Vec<ServiceRow> = (0..self.services + FAN_OUT)
            .map(|index| ServiceRow {
                key: ServiceKey { service: self.names[index as usize].id, operation, ..ServiceKey::default() },
                calls: Count::of(100),
                entries: Count::of(if index == 0 { 100 } else { 0 }),
                duration: spread(10_000 + second % 7 * 100),
                exclusive: spread(5_000),
                busy_us: 1_000_000,
                ..ServiceRow::default()
            })
            .collect();
        services.sort_by_key(|row| row.key);
        let mut edges: Vec<EdgeRow> = (0..self.services)
            .flat_map(|caller| (1..=FAN_OUT).map(move |step| (caller, caller + step)))
            .map(|(caller, callee)| {
                let hurt = storm && callee == self.services / 2;
                let mut row = EdgeRow {
                    key: EdgeKey {
                        caller: self.names[caller as usize].id,
                        caller_operation: operation,
                        callee: self.names[callee as usize].id,
                        callee_operation: operation,
                        ..EdgeKey::default()
                    },
                    calls: Count::of(if hurt { 60 } else { 20 }),
                    first_attempts: Count::of(20),
                    retries: Count::of(if hurt { 40 } else { 0 }),
                    client: spread(if hurt { 1_000_000 } else { 10_000 + second % 5 * 100 }),
                    server: spread(9_000),
                    gap: spread(if hurt { 990_000 } else { 500 }),
                    busy_us: 200_000,
                    timeout_us: if hurt { 1_000_000 } else { 0 },
                    wasted: Count::of(if hurt { 50 } else { 0 }),
                    ..EdgeRow::default()
                };
                row.failures[Failure::Timeout.index()] = Count::of(if hurt { 60 } else { 0 });
                row
            })
            .collect();
        edges.sort_by_key(|row| row.key);
        // The merger makes rows in the order of their keys: so they lie in memory, too.
        let (services, edges) = (services.clone(), edges.clone());
        let mut visits: Vec<(NameId, Count)> =
            self.names.iter().take(64).map(|name| (name.id, Count::of(100))).collect();
        visits.sort();
        Window {
            end_ns: 1_700_000_000_000_000_000 + second * 1_000_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: 1000,
            spans: edges.len() as u64 * 40,
            names: if second == 0 { self.names.clone() } else { Vec::new() },
            services,
            edges,
            flows: vec![FlowRow {
                key: FlowKey { entry: self.names[0].id, operation, criticality: Criticality::Critical, cohort: 255 },
                requests: Count::of(100),
                good: Count::of(if storm { 20 } else { 100 }),
                visits,
            }],
            ..Window::default()
        }
    }
}

/// Ten buckets around a value.
fn spread(middle_us: u64) -> SparseHistogram {
    SparseHistogram((0..10).map(|step| (middle_us / 2 + middle_us * step / 8, Count::of(2))).collect())
}

/// The window and the tick after it. Gives the inputs back, so that freeing them is not measured.
fn step(engine: &mut Engine, inputs: [Input; 2]) -> (Vec<Effect>, [Input; 2]) {
    let effects = inputs.iter().flat_map(|input| engine.apply(input)).collect();
    (effects, inputs)
}

fn inputs(window: Window) -> [Input; 2] {
    let now_ms = window.end_ns / 1_000_000 + 500;
    [Input::Window(window), Input::Tick { now_ms }]
}

fn warm(fleet: &Fleet) -> Engine {
    let edges = u32::try_from(fleet.services * FAN_OUT).expect("a bench has few edges");
    let mut engine = Engine::new(EngineConfig { mode: Mode::Act, edges_max: edges + 1, ..EngineConfig::default() });
    for second in 0..WARM_UP {
        step(&mut engine, inputs(fleet.window(second, false)));
    }
    engine
}

fn engine_step(criterion: &mut Criterion) {
    for (name, storm) in [("engine_step_healthy", false), ("engine_step_storm", true)] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        for edges in [100u64, 1_000, 10_000, 40_000] {
            let fleet = Fleet::with_edges(edges);
            let mut engine = warm(&fleet);
            let mut second = WARM_UP;
            group.throughput(Throughput::Elements(edges));
            group.bench_function(BenchmarkId::from_parameter(edges), |bencher| {
                bencher.iter_batched(
                    || {
                        second += 1;
                        inputs(fleet.window(second, storm))
                    },
                    |inputs| black_box(step(&mut engine, inputs)),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

fn snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine_snapshot");
    group.sample_size(20);
    for edges in [1_000u64, 10_000] {
        let engine = warm(&Fleet::with_edges(edges));
        group.throughput(Throughput::Elements(edges));
        group.bench_function(BenchmarkId::from_parameter(edges), |bencher| {
            bencher.iter(|| black_box(engine.snapshot()));
        });
    }
    group.finish();
}

criterion_group!(benches, engine_step, snapshot);
criterion_main!(benches);
