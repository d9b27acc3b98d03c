//! The ways in which threads can take turns, tried by shuttle on the very code that services run (`crate::sync` gives it
//! shuttle's locks and atomics in tests). A failure prints the order of the turns, for `shuttle::replay`.

use crate::callee::Callees;
use crate::{BreakerConfig, BreakerWindow, Callee, Clock, End, Guard, Labels, LimitSettings, Request, Settings};
use admission::Reason;
use control::InForce;
use model::{BreakerPhase, CommandId, Criticality, Setting, Target};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Runner, thread};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Runs `body` for itself, for tests that are about something else.
pub(crate) fn once(body: impl Fn() + Send + Sync + 'static) {
    Runner::new(RandomScheduler::new(1), config()).run(body);
}

/// Tries some ways by chance, and some in which few threads overtake others at the worst places.
fn explore(ways: usize, body: impl Fn() + Send + Sync + Clone + 'static) {
    Runner::new(RandomScheduler::new(ways), config()).run(body.clone());
    Runner::new(PctScheduler::new(3, ways), config()).run(body);
}

fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    // signatures are verified on it
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    config
}

const OPEN_MS: u64 = 100;
const PROBE_TIMEOUT_MS: u64 = 400;

/// A breaker that opens at the first failure, without chance in it.
fn settings() -> Settings {
    let mut settings = Settings { service: "cart".into(), ramp_ms: 0, ..Settings::default() };
    settings.keyring = Some(control::Keyring::new());
    settings.server.class_share_permille = [1000; 4];
    settings.client.throttle_k_permille = 0;
    settings.client.breaker = BreakerConfig {
        window: BreakerWindow::Calls(4),
        consecutive_failures: 1,
        open_base_ms: OPEN_MS as u32,
        open_max_ms: OPEN_MS as u32,
        jitter_permille: 0,
        probes: 2,
        probe_timeout_ms: PROBE_TIMEOUT_MS as u32,
        ramp_ms: 0,
        ..BreakerConfig::default()
    };
    settings
}

fn limited(limit: u32) -> Guard {
    let mut settings = settings();
    settings.server.limit = LimitSettings::Fixed { limit };
    settings.server.queue_bound_ms = Some(60_000);
    Guard::new(settings, Clock::manual(1_000_000)).unwrap()
}

/// A callee whose breaker has opened and lets probes through now.
fn half_open(clock: &Clock) -> (Guard, Callee) {
    let guard = Guard::new(settings(), clock.clone()).unwrap();
    let callee = guard.callee("stock");
    callee.call(Labels::default()).attempt().unwrap().end(End::Failure);
    clock.advance_ms(OPEN_MS);
    (guard, callee)
}

/// Makes a try that is never answered, and whose caller never goes away.
fn hang(callee: &Callee) {
    if let Ok(attempt) = callee.call(Labels::default()).attempt() {
        std::mem::forget(attempt);
    }
}

/// Whatever is lost from now on: again and again a try is let through within a bounded time.
fn is_not_wedged(callee: &Callee, clock: &Clock) {
    for _ in 0..3 {
        let let_through = (0..2 * OPEN_MS + PROBE_TIMEOUT_MS + 50).step_by(50).any(|_| {
            clock.advance_ms(50);
            callee.call(Labels::default()).attempt().map(std::mem::forget).is_ok()
        });
        assert!(let_through, "wedged: {:?}", callee.state());
    }
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_probe_that_never_ends_cannot_keep_the_breaker_from_trying_again_in_any_order_of_turns() {
    let ways = Arc::new(AtomicUsize::new(0));
    let count = ways.clone();
    let body = move || {
        count.fetch_add(1, Ordering::Relaxed);
        let clock = Clock::manual(1_000_000);
        let (_guard, callee) = half_open(&clock);
        let stuck = thread::spawn({
            let callee = callee.clone();
            move || hang(&callee)
        });
        let others = thread::spawn({
            let callee = callee.clone();
            move || {
                // one is cancelled, one is answered
                drop(callee.call(Labels::default()).attempt());
                if let Ok(attempt) = callee.call(Labels::default()).attempt() {
                    attempt.end(End::Success);
                }
            }
        });
        join([stuck, others]);
        is_not_wedged(&callee, &clock);
    };
    // all of them
    Runner::new(DfsScheduler::new(None, false), config()).run(body);
    println!("{} ways", ways.load(Ordering::Relaxed));
    assert!(ways.load(Ordering::Relaxed) > 100, "threads did take turns");
}

#[test]
fn commands_time_and_the_owner_may_meddle_while_probes_hang_and_nothing_is_wedged() {
    fn in_force(phase: BreakerPhase) -> InForce {
        InForce {
            id: CommandId("x".into()),
            epoch: 1,
            sequence: 1,
            target: Target::edge("cart", "stock"),
            setting: Setting::Breaker { phase },
            expires_ms: u64::MAX,
            frozen: false,
            overridden_by: None,
        }
    }
    let all = |callees: &Callees, phase: BreakerPhase| callees.obey(&[in_force(phase)], 1_000_000);
    explore(1500, move || {
        let clock = Clock::manual(1_000_000);
        let (guard, callee) = half_open(&clock);
        let commands = thread::spawn({
            let guard = guard.clone();
            move || {
                all(&guard.shared.callees, BreakerPhase::Open);
                all(&guard.shared.callees, BreakerPhase::HalfOpen);
                guard.step(); // nothing is in force any more
            }
        });
        let owner = thread::spawn({
            let callee = callee.clone();
            move || {
                callee.set_breaker(BreakerConfig { mode: crate::BreakerMode::ForcedOpen, ..settings().client.breaker });
                callee.set_breaker(BreakerConfig { probes: 1, ..settings().client.breaker });
            }
        });
        let calls = (0..2).map(|n| {
            let (callee, clock) = (callee.clone(), clock.clone());
            thread::spawn(move || {
                hang(&callee);
                clock.advance_ms(OPEN_MS / 2);
                if let Ok(attempt) = callee.call(Labels::default()).attempt() {
                    attempt.end(if n == 0 { End::Success } else { End::Failure });
                }
            })
        });
        join(calls.chain([commands, owner]));
        guard.step();
        is_not_wedged(&callee, &clock);
    });
}

#[test]
fn every_place_comes_back_exactly_once_and_the_limit_holds_whoever_leaves_when() {
    explore(1500, || {
        let guard = limited(2);
        let working = Arc::new(AtomicU32::new(0));
        let at_work = |guard: &Guard, working: &AtomicU32| {
            if let Ok(permit) = guard.try_admit(&Request::default()) {
                assert!(working.fetch_add(1, Ordering::SeqCst) < 2, "more than the limit");
                thread::yield_now();
                working.fetch_sub(1, Ordering::SeqCst);
                permit.succeed();
            }
        };
        let mut threads: Vec<_> = (0..2)
            .map(|_| {
                let (guard, working) = (guard.clone(), working.clone());
                thread::spawn(move || (0..2).for_each(|_| at_work(&guard, &working)))
            })
            .collect();
        // one waits until it is let in, one leaves at any time, as likely as not with a place just granted to it
        let (patient, at) = (guard.clone(), working.clone());
        threads.push(thread::spawn(move || {
            let permit = shuttle::future::block_on(patient.admit(&Request::default())).unwrap();
            assert!(at.fetch_add(1, Ordering::SeqCst) < 2, "more than the limit");
            thread::yield_now();
            at.fetch_sub(1, Ordering::SeqCst);
            permit.fail();
        }));
        let hasty = guard.clone();
        threads.push(thread::spawn(move || {
            let entered = hasty.enter(&Request::default(), 1_000_000_000);
            thread::yield_now();
            drop(entered);
        }));
        join(threads);
        assert_eq!((guard.shared.counts.in_flight(), working.load(Ordering::SeqCst)), (0, 0));
        guard.step();
        let places: Vec<_> = (0..2).map(|_| guard.try_admit(&Request::default()).unwrap()).collect();
        assert!(guard.try_admit(&Request::default()).is_err(), "two places and no more");
        drop(places);
    });
}

#[test]
fn nobody_waits_for_a_place_that_is_free_though_no_step_is_made() {
    explore(1500, || {
        let guard = limited(1);
        let threads = (0..4usize).map(|n| {
            let guard = guard.clone();
            thread::spawn(move || {
                let request = Request { criticality: Criticality::ALL[n], ..Request::default() };
                // a lost wake-up is a deadlock, which shuttle sees
                shuttle::future::block_on(guard.admit(&request)).unwrap().succeed();
            })
        });
        join(threads.collect::<Vec<_>>());
        assert_eq!((guard.shared.counts.in_flight(), guard.shared.gate.queued()), (0, 0));
    });
}

#[test]
fn a_table_that_is_swapped_meanwhile_loses_no_tally() {
    const EACH: u64 = 3;
    explore(1000, || {
        let guard = limited(1);
        let done = Arc::new(AtomicU32::new(0));
        let workers = (0..2usize).map(|n| {
            let (guard, done) = (guard.clone(), done.clone());
            thread::spawn(move || {
                let request = Request { criticality: Criticality::ALL[n], ..Request::default() };
                for _ in 0..EACH {
                    if let Ok(permit) = guard.try_admit(&request) {
                        permit.succeed();
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        });
        let (stepper, reporter) = (guard.clone(), guard.clone());
        let steps = thread::spawn(move || (0..2).for_each(|_| stepper.step()));
        let reports = thread::spawn(move || drop(reporter.health()));
        join(workers.chain([steps, reports]).collect::<Vec<_>>());
        guard.step();
        let totals = guard.shared.control().totals;
        let by_class: Vec<u64> = (0..2).map(|class| totals.admitted[class] + totals.refused[class]).collect();
        assert_eq!(by_class, [EACH, EACH], "each request is counted once, admitted or refused");
        assert_eq!(totals.admitted.iter().sum::<u64>(), u64::from(done.load(Ordering::SeqCst)));
        assert_eq!(totals.completed, u64::from(done.load(Ordering::SeqCst)));
        let concurrency = crate::shards::reason_index(Reason::Concurrency);
        assert_eq!(totals.refused.iter().sum::<u64>(), totals.reasons[concurrency]);
        let report = guard.report();
        assert_eq!(report.admitted.iter().sum::<u32>(), done.load(Ordering::SeqCst), "and reported");
    });
}

#[test]
fn what_is_in_flight_survives_a_change_of_how_exactly_it_is_counted() {
    explore(1500, || {
        let shards = Arc::new(crate::shards::Shards::new());
        shards.set_limit(100_000);
        let threads = (0..3u32).map(|n| {
            let shards = shards.clone();
            thread::spawn(move || match n {
                0 => [1, 100_000, 1].into_iter().for_each(|limit| shards.set_limit(limit)),
                cost => {
                    (0..40).for_each(|_| _ = shards.reserve(cost));
                    (0..39).for_each(|_| shards.release(cost));
                }
            })
        });
        join(threads.collect::<Vec<_>>());
        assert_eq!(shards.in_flight(), 3, "one of cost 1 and one of cost 2 are still there");
        shards.set_limit(1);
        assert_eq!(shards.reserve(1), 3, "exact at once when the limit is small");
    });
}
