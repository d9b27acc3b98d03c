//! One admission decision: at most 100 ns, whatever is commanded.
#![allow(missing_docs)] // criterion's macros make public functions

use admission::{Commanded, Config, LimitKind, Load, Request, State, Tallies, decide, step};
use criterion::{Criterion, criterion_group, criterion_main};
use model::{Criticality, NameId, Setting};
use std::hint::black_box;

fn commanded(operations: u64) -> Vec<Commanded> {
    let boundary = |fraction_permille| Setting::Admission { lowest: Criticality::Critical, fraction_permille };
    let mut all = vec![Commanded { operation: None, setting: boundary(700) }];
    all.extend((1..=operations).map(|id| Commanded { operation: Some(NameId(id)), setting: boundary(300) }));
    all
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admission");
    for (name, operations) in [("calm", None), ("commanded", Some(0)), ("commanded_64_operations", Some(64))] {
        let mut state = State::new(Config { limit: LimitKind::Fixed { limit: 100 }, ..Config::default() }, 1);
        state.command(&operations.map(commanded).unwrap_or_default(), 0);
        let table = step(&mut state, &Tallies::default(), 0);
        let mut spread = 0u64;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                spread = spread.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let request = Request {
                    cohort: (spread >> 57) as u8,
                    operation: NameId(spread >> 58),
                    spread,
                    deadline_ms: Some(2_000_000),
                    ..Request::default()
                };
                decide(black_box(&table), black_box(&request), Load { in_flight: 10, queued_work_ms: 5 }, 1_000_000)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
