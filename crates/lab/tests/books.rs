//! Every request ends once, and the same seed gives the same bytes.

use lab::{Topology, World, WorldConfig, builtin, builtin_names};
use telemetry::Encoding;

const SECOND_NS: u64 = 1_000_000_000;

fn world(topology: Topology, seed: u64) -> World {
    World::new(topology, WorldConfig { seed, start_unix_ns: 1_750_000_000 * SECOND_NS, obey: true })
}

/// A fleet in which everything happens at once: faults of each kind, cancellations, budgets, small queues, pools, caches,
/// locks, garbage, probes, an autoscaler.
const TROUBLED: &str = r#"
name = "troubled"
[telemetry]
delay_ms = 100
jitter_ms = 50
loss = 0.05
skew_ms = 20
[control]
delay_ms = 100
loss = 0.1
[[client]]
name = "all"
to = "front"
rate_rps = 300
timeout_ms = 120
retries = 2
backoff_ms = 10
cancel = true
[[service]]
name = "front"
instances = 2
workers = 20
[[service.operation]]
name = "GET /"
mean_us = 2000
internal_span = "think"
[[service.operation.call]]
to = "left"
timeout_ms = 40
retries = 3
cancel = true
breaker = true
[[service.operation.call]]
to = "right"
parallel = true
timeout_ms = 60
retries = 1
retry_budget = 0.1
cancel = true
[[service.operation.call]]
to = "store"
timeout_ms = 50
optional = true
probability = 0.5
[[service.operation.call]]
to = "mail"
way = "produce"
[[service]]
name = "left"
workers = 6
zones = ["zone-a", "zone-b"]
contention = 0.02
gc = { heap = 150, pause_ms = 10.0, live_us = 100.0 }
warm_up = { time_s = 3.0, factor = 3.0 }
cache = { hit_share = 0.5, keys = 300, ttl_s = 30.0 }
autoscale = { min = 1, max = 4, target = 0.7, start_s = 2.0, every_s = 2.0, down_s = 6.0 }
liveness = { delay_ms = 700, restart_s = 2.0 }
adaptive_limit = true
balance = "least_of_two"
instances = 2
queue = { order = "lifo", length = 20 }
[[service.operation]]
name = "GET /left"
mean_us = 20000
error_share = 0.05
[[service.operation.call]]
to = "store"
timeout_ms = 30
cancel = true
optional = true
[[service.operation.call]]
to = "store"
when = "failed"
timeout_ms = 30
[[service.operation.call]]
to = "store"
when = "miss"
timeout_ms = 60
[[service.pool]]
to = "store"
connections = 3
[[service]]
name = "right"
workers = 8
protocol = "rpc"
holds = "work"
span_start = "arrival"
[[service.operation]]
name = "right.Right/Get"
mean_us = 15000
[[service]]
name = "store"
workers = 8
protocol = "database"
handover_us = 20
queue = { order = "lifo", drop_expired = true }
[[service.operation]]
name = "SELECT things"
mean_us = 8000
lock_us = 500
[[service]]
name = "mail"
workers = 1
[[service.operation]]
name = "letters"
mean_us = 2000
[[fault]]
kind = "packet_loss"
service = "right"
caller = "front"
share = 0.2
start_s = 3
duration_s = 5
[[fault]]
kind = "capacity"
service = "left"
instance = 1
share = 1.0
start_s = 5
duration_s = 4
[[fault]]
kind = "surge"
factor = 3
start_s = 8
duration_s = 4
[[fault]]
kind = "errors"
service = "store"
share = 0.5
start_s = 10
duration_s = 4
[[fault]]
kind = "gray"
service = "right"
share = 0.3
start_s = 12
duration_s = 4
[[fault]]
kind = "cache_flush"
service = "left"
share = 0.8
start_s = 13
duration_s = 1
[[fault]]
kind = "lock"
service = "store"
start_s = 15
duration_s = 0.5
random = true
every_s = 4
until_s = 32
[[fault]]
kind = "deploy"
service = "left"
version = "2"
factor = 1.5
share = 0.2
part = 0.5
step_s = 1
start_s = 16
duration_s = 6
[[fault]]
kind = "crash"
service = "front"
instance = 0
start_s = 18
duration_s = 1
every_s = 3
until_s = 27
[[fault]]
kind = "crash"
service = "mail"
start_s = 20
duration_s = 2
[[fault]]
kind = "zone_loss"
zone = "zone-b"
detect_s = 1
start_s = 23
duration_s = 4
[[fault]]
kind = "zone_loss"
zone = "zone-a"
start_s = 33
duration_s = 2
[[fault]]
kind = "flash_crowd"
factor = 3
step_s = 1
start_s = 26
duration_s = 6
[[fault]]
kind = "slow"
service = "right"
factor = 3
start_s = 28
duration_s = 3
"#;

#[test]
fn every_request_is_good_failed_shed_or_in_flight() {
    let troubled = Topology::from_toml(TROUBLED).expect("the topology is right");
    let mut worlds: Vec<World> = builtin_names().map(|name| world(builtin(name).expect("it is known"), 9)).collect();
    worlds.push(world(troubled, 9));
    for mut world in worlds {
        world.discard_spans();
        for second in 1..=40 {
            world.run_until(second * SECOND_NS + 123_456_789);
            let total = world.total();
            assert_eq!(total.offered, total.good + total.failed + total.shed + world.in_flight());
        }
        // when nobody comes any more everything ends and every worker is given back
        world.stop_arrivals();
        world.run_until(200 * SECOND_NS);
        assert_eq!(world.in_flight(), 0);
        let left: Vec<_> = world.load().filter(|(_, queued, busy)| queued + *busy as usize > 0).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let troubled = Topology::from_toml(TROUBLED).expect("the topology is right");
    let bytes = |seed, steps: u64| {
        let mut world = world(troubled.clone(), seed);
        let mut bytes = Vec::new();
        let mut reports = Vec::new();
        for step in 1..=steps {
            world.run_until(30 * SECOND_NS * step / steps);
            world.take_exports().iter().for_each(|export| export.encode_into(Encoding::OtlpProto, &mut bytes));
            reports.extend(world.take_reports());
        }
        (bytes, reports)
    };
    let one = bytes(1, 12);
    assert!(one.0.len() > 100_000);
    // also when it is run in other steps
    assert!(one == bytes(1, 97), "the same seed gave other bytes");
    assert!(one.0 != bytes(2, 12).0, "another seed gave the same bytes");
}

#[test]
fn faults_leave_nothing_behind() {
    // without anything that could keep trouble alive by itself, and with room to spare
    let calm =
        TROUBLED.replace("retries", "# retries").replace("breaker", "# breaker").replace("adaptive", "# adaptive");
    let calm = calm.replace("gc =", "# gc =").replace("autoscale", "# autoscale").replace("liveness", "# liveness");
    let calm = calm.replace("timeout_ms = ", "timeout_ms = 1");
    let mut troubled = Topology::from_toml(&calm).expect("the topology is right");
    troubled.service.iter_mut().for_each(|service| service.workers *= 4);
    let good = |topology: Topology| {
        let mut world = world(topology, 3);
        world.discard_spans();
        world.run_until(60 * SECOND_NS);
        world.tally()[40..60].iter().map(|second| second.good).sum::<u64>() as f64
    };
    let (after, never) = (good(troubled.clone()), good(troubled.without_faults()));
    assert!((after / never - 1.0).abs() < 0.05, "{after} after the faults, {never} without them");
}
