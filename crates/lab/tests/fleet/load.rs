//! Work that takes longer because there is much of it, because the process is cold, or because it waits for a lock.

use crate::{admitted, pair, share, until, world};

/// Good answers a second of a service that gets 400 requests a second.
fn throughput(back: &str) -> f64 {
    let mut world = world(
        &pair(400, "", back, "")
            .replace("timeout_ms = 500", "timeout_ms = 60000")
            .replace("timeout_ms = 2000", "timeout_ms = 60000"),
        1,
    );
    until(&mut world, 20);
    until(&mut world, 40).good as f64 / 20.0
}

#[test]
fn throughput_follows_the_universal_scalability_law() {
    let service = |workers: f64, sigma: f64, kappa: f64| {
        let back = format!(
            "workers = {workers}\ncontention = {sigma}\ncoherency = {kappa}\n[[service.operation]]\nname = \"GET /\"\nmean_us = 50000\ndistribution = \"constant\""
        );
        throughput(&back)
    };
    // X(N) = N / (S (1 + σ(N-1) + κN(N-1))) as long as demand is higher
    for (n, sigma, kappa) in
        [(10.0, 0.0, 0.0), (10.0, 0.1, 0.0), (20.0, 0.02, 0.0), (20.0, 0.0, 0.005), (60.0, 0.0, 0.005)]
    {
        let law = n / (0.05 * (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)));
        let measured = service(n, sigma, kappa);
        assert!((measured / law - 1.0).abs() < 0.05, "{n} workers, σ {sigma}, κ {kappa}: {measured}, law {law}");
    }
}

#[test]
fn collecting_garbage_costs_capacity_and_the_more_the_more_is_waiting() {
    let back = |gc: &str| format!("workers = 4\n{gc}\n[[service.operation]]\nname = \"GET /\"\nmean_us = 10000");
    let (free, collected) =
        (throughput(&back("")), throughput(&back("gc = { heap = 200, pause_ms = 10.0, live_us = 0.0 }")));
    assert!((free - 390.0).abs() < 20.0, "{free}");
    // demand is above capacity, so the queue grows until there is room for only a twentieth of the heap between collections:
    // 10 requests take 25 ms, and then it stops for 10
    let expected = 10.0 / 0.035;
    assert!((collected / expected - 1.0).abs() < 0.05, "{collected}, expected {expected}");
}

#[test]
fn a_cold_process_is_slow_and_warms_up() {
    let back = "workers = 100\nwarm_up = { time_s = 20.0, factor = 9.0 }\n[[service.operation]]\nname = \"GET /\"\nmean_us = 10000\ndistribution = \"constant\"";
    let fault = "[[fault]]\nkind = \"crash\"\nservice = \"back\"\nstart_s = 10\nduration_s = 1";
    let mut world = world(&pair(200, "", back, fault), 2);
    // by Little's law the mean number at work is the rate times the time that work takes
    let mut work_ms = |from_s: u64, to_s: u64| {
        world.run_until(from_s * crate::SECOND_NS);
        let busy = (1..=(to_s - from_s) * 50).map(|step| {
            world.run_until(from_s * crate::SECOND_NS + step * crate::SECOND_NS / 50);
            f64::from(world.load().find(|(name, ..)| *name == "back").unwrap().2)
        });
        busy.sum::<f64>() / ((to_s - from_s) * 50) as f64 / 200.0 * 1000.0
    };
    let (warm, cold, tepid, warm_again) = (work_ms(2, 10), work_ms(11, 12), work_ms(20, 22), work_ms(33, 43));
    assert!((warm - 10.0).abs() < 1.0 && (warm_again - 10.0).abs() < 1.0, "{warm} {warm_again}");
    assert!(cold > 75.0 && (tepid - 50.0).abs() < 8.0, "{cold} {tepid}");
}

#[test]
fn a_flushed_cache_earns_its_hit_share_again() {
    let back = "workers = 100\ncache = { hit_share = 0.9, keys = 2000 }\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000
        [[service.operation.call]]\nto = \"store\"\nwhen = \"miss\"\ntimeout_ms = 500
        [[service]]\nname = \"store\"\nworkers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000";
    let faults = "[[fault]]\nkind = \"cache_flush\"\nservice = \"back\"\nshare = 1.0\nstart_s = 10\nduration_s = 1
        [[fault]]\nkind = \"errors\"\nservice = \"store\"\nshare = 1.0\nstart_s = 10\nduration_s = 10";
    let mut world = world(&pair(500, "", back, faults), 3);
    let mut misses = |to_s| {
        until(&mut world, to_s);
        let counts = admitted(&mut world);
        share(counts["store"], counts["back"])
    };
    assert!((misses(10) - 0.1).abs() < 0.02);
    // what fails is not kept: as long as the store fails, every request misses
    assert!(misses(20) > 0.99);
    let (soon, later) = (misses(21), misses(40));
    assert!(soon > 0.6 && later < soon, "{soon} {later}");
    assert!((misses(60) - 0.1).abs() < 0.03);
}

#[test]
fn what_is_forgotten_in_time_is_asked_for_again() {
    let back = "workers = 100\ncache = { hit_share = 1.0, keys = 1000, ttl_s = 10.0 }\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000
        [[service.operation.call]]\nto = \"store\"\nwhen = \"miss\"\ntimeout_ms = 500
        [[service]]\nname = \"store\"\nworkers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000";
    let mut world = world(&pair(400, "", back, ""), 4);
    until(&mut world, 60);
    admitted(&mut world);
    until(&mut world, 120);
    let counts = admitted(&mut world);
    // in balance 400 (1 - f) requests a second bring what f · 1000 / 10 a second forget
    let misses = share(counts["store"], counts["back"]);
    assert!((misses - 0.2).abs() < 0.02, "{misses}");
}

#[test]
fn a_lock_lets_one_pass_at_a_time_and_a_convoy_fewer() {
    let back = |handover: f64| {
        format!(
            "workers = 40\nhandover_us = {handover}\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000\nlock_us = 5000"
        )
    };
    let (plain, convoy) = (throughput(&back(0.0)), throughput(&back(250.0)));
    assert!((plain / 200.0 - 1.0).abs() < 0.05, "{plain}");
    // 39 others wait for each hand-over: 5 ms + 39 · 0.25 ms
    assert!((convoy / (1000.0 / 14.75) - 1.0).abs() < 0.08, "{convoy}");
}

#[test]
fn nothing_that_needs_a_held_lock_ends_before_it_is_free() {
    let back = "workers = 1000\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000\nlock_us = 100";
    let fault = "[[fault]]\nkind = \"lock\"\nservice = \"back\"\nstart_s = 10\nduration_s = 4";
    let mut world = world(&pair(100, "", back, fault), 5);
    until(&mut world, 10);
    let held = until(&mut world, 14);
    assert!(held.good < 5 && held.failed > 250, "{held:?}");
    until(&mut world, 16);
    let free = until(&mut world, 30);
    assert!(share(free.good, free.offered) > 0.99, "{free:?}");
}
