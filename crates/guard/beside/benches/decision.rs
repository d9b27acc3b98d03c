//! What an admission costs, beside the limits of others in the same run: at most 100 ns uncontended, and the same when more
//! cores ask.
//!
//! CPU time of the measuring thread, the best of several rounds, so that a busy machine adds little. More CPU time for each
//! operation with more threads means that they hinder each other.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)] // a bench prints

use governor::{Quota, RateLimiter};
use guard::{ClientGuardLayer, Clock, Guard, GuardLayer, LimitSettings, Request, Settings};
use model::{Command, CommandId, Criticality, Mode, Setting, Target};
use std::convert::Infallible;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::time::Duration;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::ratelimiter::RateLimiterLayer;

const ROUNDS: usize = 7;
const DECISIONS: u32 = 300_000;
const CALLS: u32 = 100_000;

/// CPU time that this thread has used, nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// CPU nanoseconds of one operation while so many threads do it.
fn measure(threads: usize, operation: impl Fn(u64) + Sync) -> f64 {
    let round = || {
        let barrier = Barrier::new(threads);
        let total: u64 = std::thread::scope(|scope| {
            let works: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let begun = cpu_ns();
                        (0..u64::from(DECISIONS)).for_each(&operation);
                        cpu_ns() - begun
                    })
                })
                .collect();
            works.into_iter().map(|work| work.join().unwrap()).sum()
        });
        total as f64 / threads as f64 / f64::from(DECISIONS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn decisions(name: &str, operation: impl Fn(u64) + Sync) {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (alone, together) = (measure(1, &operation), measure(cores, &operation));
    println!("{name:<46} {alone:>8.1} {together:>8.1}   x{:.2}", together / alone);
}

type Http = http::Request<()>;

async fn calls<S>(name: &str, mut service: S)
where
    S: Service<Http, Response = http::Response<()>>,
    S::Error: std::fmt::Debug,
{
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = cpu_ns();
        for _ in 0..CALLS {
            let mut request = Http::new(());
            request.headers_mut().insert("stopbank-criticality", http::HeaderValue::from_static("CRITICAL"));
            black_box(service.ready().await.unwrap().call(request).await.unwrap());
        }
        best = best.min((cpu_ns() - begun) as f64 / f64::from(CALLS));
    }
    println!("{name:<46} {best:>8.1}");
}

fn guard(limit: LimitSettings) -> Guard {
    let mut settings = Settings { service: "cart".into(), ..Settings::default() };
    settings.server.limit = limit;
    settings.keyring = Some(control::Keyring::new());
    Guard::new(settings, Clock::system()).unwrap()
}

fn commanded() -> Guard {
    let signer = control::Signer::from_seed([1; 32]);
    let mut keyring = control::Keyring::new();
    keyring.add(control::Key::new(signer.public(), control::Role::Engine)).unwrap();
    let settings = Settings { service: "cart".into(), keyring: Some(keyring), ..Settings::default() };
    let guard = Guard::new(settings, Clock::system()).unwrap();
    let setting = Setting::Admission { lowest: Criticality::Critical, fraction_permille: 700 };
    let command = Command {
        id: CommandId("bench".into()),
        sequence: 1,
        ttl_ms: 3_600_000,
        target: Target::service("cart"),
        knob: setting.knob(),
        setting: Some(setting),
        reason: model::Reason::default(),
        mode: Mode::Act,
    };
    let now_ms = guard.clock().now_ms();
    assert_eq!(guard.offer(&signer.command("default", 1, &command, now_ms), now_ms), control::Verdict::Accepted);
    guard
}

fn request(n: u64) -> Request {
    Request { spread: n.wrapping_mul(0x9e37_79b9_7f4a_7c15), ..Request::default() }
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    println!("one decision, CPU ns                             1 thread {cores:>2} threads");
    let large = guard(LimitSettings::Fixed { limit: 100_000 });
    let small = guard(LimitSettings::Fixed { limit: 50 });
    let obeys = commanded();
    decisions("Clock::now_us (part of each line below)", |_| _ = black_box(large.clock().now_us()));
    decisions("guard: decide", |n| _ = black_box(large.decide(&request(n))));
    decisions("guard: decide, a class boundary commanded", |n| _ = black_box(obeys.decide(&request(n))));
    decisions("guard: try_admit and give back, limit 100000", |n| drop(black_box(large.try_admit(&request(n)))));
    decisions("guard: try_admit and give back, limit 50", |n| drop(black_box(small.try_admit(&request(n)))));
    let everything = NonZeroU32::new(1_000_000_000).unwrap();
    let governor = RateLimiter::direct(Quota::per_second(everything));
    decisions("governor: RateLimiter::check", |_| _ = black_box(governor.check()));
    let semaphore = tokio::sync::Semaphore::new(100_000);
    decisions("tokio: Semaphore::try_acquire and give back", |_| drop(black_box(semaphore.try_acquire())));

    println!("\none call of an HTTP service that does nothing, CPU ns");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let work = service_fn(|_: Http| std::future::ready(Ok::<_, Infallible>(http::Response::new(()))));
        let many = usize::MAX >> 4;
        calls("no layer", work).await;
        calls("tower: ConcurrencyLimit", ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(many)).service(work))
            .await;
        let rate = RateLimitLayer::new(u64::MAX, Duration::from_secs(3600));
        calls("tower: RateLimit", ServiceBuilder::new().layer(rate).service(work)).await;
        let shed =
            ServiceBuilder::new().layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(many)).service(work);
        calls("tower: LoadShed over ConcurrencyLimit", shed).await;
        let bulkhead = BulkheadLayer::builder().max_concurrent_calls(100_000).build().unwrap();
        calls("tower-resilience: Bulkhead", ServiceBuilder::new().layer(bulkhead).service(work)).await;
        let limiter = RateLimiterLayer::per_second(1_000_000_000).build().unwrap();
        calls("tower-resilience: RateLimiter", ServiceBuilder::new().layer(limiter).service(work)).await;
        let breaker = CircuitBreakerLayer::standard().build().unwrap();
        calls("tower-resilience: CircuitBreaker", ServiceBuilder::new().layer(breaker).service(work)).await;
        let layer = GuardLayer::new(large.clone());
        calls("guard: GuardLayer (labels, class, limit, queue)", ServiceBuilder::new().layer(layer).service(work))
            .await;
        let layer = ClientGuardLayer::new(large.callee("stock"));
        calls("guard: ClientGuardLayer (breaker, timeout, ...)", ServiceBuilder::new().layer(layer).service(work))
            .await;
    });
}
