//! Queues, fallbacks, pools and budgets.

use crate::{admitted, pair, share, until, world};

#[test]
fn the_youngest_first_and_nothing_expired_works_for_somebody_even_in_overload() {
    let outcome = |queue: &str| {
        let back = format!("workers = 2\nqueue = {queue}\n[[service.operation]]\nname = \"GET /\"\nmean_us = 10000");
        let mut world = world(&pair(300, "", &back, ""), 1);
        until(&mut world, 10);
        until(&mut world, 40)
    };
    let (plain, fresh) = (outcome("{}"), outcome("{ order = \"lifo\", drop_expired = true }"));
    // first come, first served: everything is too late, and the service works all the same
    assert!(share(plain.good, plain.offered) < 0.05 && plain.wasted > 5000 && plain.expired == 0, "{plain:?}");
    // the youngest first: 200 of 300 a second are served in time
    assert!(share(fresh.good, fresh.offered) > 0.6 && fresh.wasted < 60 && fresh.expired > 2000, "{fresh:?}");
}

#[test]
fn a_fallback_is_called_when_the_optional_call_before_it_fails_and_only_then() {
    let call = "optional = true\n[[service.operation.call]]\nto = \"spare\"\nwhen = \"failed\"";
    let back = "workers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000";
    let rest = "[[service]]\nname = \"spare\"\nworkers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000
        [[fault]]\nkind = \"errors\"\nservice = \"back\"\nshare = 0.25\nstart_s = 20\nduration_s = 20
        [[fault]]\nkind = \"errors\"\nservice = \"spare\"\nshare = 0.5\nstart_s = 30\nduration_s = 10";
    let mut world = world(&pair(500, call, back, rest), 2);
    let healthy = until(&mut world, 20);
    assert_eq!((healthy.failed, admitted(&mut world).get("spare").copied()), (0, Some(0)));
    let one_fails = until(&mut world, 30);
    let counts = admitted(&mut world);
    assert!((share(counts["spare"], counts["back"]) - 0.25).abs() < 0.02, "{counts:?}");
    assert_eq!(one_fails.failed, 0);
    // where the fallback fails too, the request does: a quarter of a half
    let both_fail = until(&mut world, 40);
    assert!((share(both_fail.failed, both_fail.offered) - 0.125).abs() < 0.02, "{both_fail:?}");
}

#[test]
fn a_pool_bounds_what_is_under_way_and_hands_connections_on() {
    let back = "workers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 20000\ndistribution = \"constant\"";
    let toml = pair(100, "", back, "");
    let with_pool = |connections: u32| {
        let pool = format!("[[service.pool]]\nto = \"back\"\nconnections = {connections}\n[[service.operation]]");
        let mut world = world(&toml.replacen("[[service.operation]]", &pool, 1), 3);
        let mut most = 0;
        for step in 1..=4000 {
            world.run_until(step * crate::SECOND_NS / 100);
            most = most.max(world.load().find(|(name, ..)| *name == "back").unwrap().2);
        }
        (most, world.total())
    };
    // 3 connections of 20.5 ms each carry 146 a second: enough for all, though some wait
    let (most, total) = with_pool(3);
    assert!(most == 3 && share(total.good, total.offered) > 0.99, "{most} {total:?}");
    // one carries 48 of 100: the others give up while they wait, and nothing is ever sent for them
    let (_, total) = with_pool(1);
    assert!(share(total.failed, total.offered) > 0.4 && total.good > 40 * 10, "{total:?}");
}

#[test]
fn clients_may_have_a_retry_budget() {
    let back = "workers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000\nerror_share = 0.8";
    let toml =
        pair(500, "", back, "").replace("timeout_ms = 2000", "timeout_ms = 2000\nretries = 3\nretry_budget = 0.2");
    let mut world = world(&toml, 4);
    let total = until(&mut world, 40);
    let attempts = total.attempts as f64 / 2.0 / total.offered as f64;
    assert!((1.18..1.21).contains(&attempts) && total.retries_refused > 0, "{attempts}");
}

#[test]
fn batch_jobs_come_in_their_time_and_flash_crowds_rise_and_fade() {
    let toml = r#"
        name = "times"
        [[client]]
        name = "batch"
        to = "one"
        rate_rps = 200
        criticality = "SHEDDABLE"
        from_s = 10
        until_s = 20
        [[client]]
        name = "people"
        to = "one"
        rate_rps = 100
        criticality = "CRITICAL"
        [[service]]
        name = "one"
        workers = 1000
        [[service.operation]]
        name = "GET /"
        mean_us = 1000
        [[fault]]
        kind = "flash_crowd"
        client = "people"
        factor = 5
        step_s = 5
        start_s = 30
        duration_s = 35
    "#;
    let mut world = world(toml, 5);
    world.run_until(90 * crate::SECOND_NS);
    let rate = |level: usize, from: usize, to: usize| {
        world.tally()[from..to].iter().map(|second| second.offered_by[level]).sum::<u64>() as f64 / (to - from) as f64
    };
    assert_eq!((rate(0, 0, 10), rate(0, 20, 90)), (0.0, 0.0));
    assert!((rate(0, 10, 20) - 200.0).abs() < 20.0);
    let (before, rise, peak, fall, after) =
        (rate(2, 0, 30), rate(2, 31, 33), rate(2, 35, 37), rate(2, 45, 47), rate(2, 66, 90));
    // e^-3 of the crowd is left at the end; a third of the way down e^-1
    assert!((before - 100.0).abs() < 10.0 && (after - 100.0).abs() < 10.0, "{before} {after}");
    assert!(rise > 180.0 && rise < 320.0 && peak > 420.0 && peak < 530.0, "{rise} {peak}");
    assert!((fall - 240.0).abs() < 40.0, "{fall}");
}

/// A front that calls `left` (20 ms) and `right` (30 ms), always the same time; what stands before the second call is the
/// test's. Gives the mean time of a request in milliseconds, and the share of calls to `right`.
fn two_calls(before: &str) -> (f64, f64) {
    let text = format!(
        r#"
        name = "two"
        network_latency_us = 0
        [[client]]
        name = "all"
        to = "front"
        rate_rps = 100
        [[service]]
        name = "front"
        workers = 1000
        holds = "work"
        operation = [{{ name = "GET /", mean_us = 1, call = [
            {{ to = "left" }},
            {{ to = "right", {before} }},
        ] }}]
        [[service]]
        name = "left"
        workers = 1000
        operation = [{{ name = "GET /", mean_us = 20000, distribution = "constant" }}]
        [[service]]
        name = "right"
        workers = 1000
        operation = [{{ name = "GET /", mean_us = 30000, distribution = "constant" }}]
        "#
    );
    let mut world = world(&text, 6);
    let samples = 4000;
    let inside: u64 = (1..=samples)
        .map(|step| {
            world.run_until(step * crate::SECOND_NS / 100);
            world.in_flight()
        })
        .sum();
    let counts = admitted(&mut world);
    // Little's law
    let stay_ms = inside as f64 / samples as f64 / (world.total().good as f64 / 40.0) * 1000.0;
    (stay_ms, share(counts["right"], counts["left"]))
}

#[test]
fn calls_come_one_after_the_other_or_side_by_side_or_by_chance() {
    for (before, stay_ms, right) in
        [("parallel = false", 50.0, 1.0), ("parallel = true", 30.0, 1.0), ("probability = 0.25", 27.5, 0.25)]
    {
        let (stay, share) = two_calls(before);
        assert!((stay - stay_ms).abs() < 2.0 && (share - right).abs() < 0.03, "{before}: {stay} ms, {share}");
    }
}

#[test]
fn work_goes_on_for_nobody_unless_it_is_cancelled() {
    let at_work = |call: &str| {
        // the caller waits for 500 ms, the work takes 300 and then 400 more in a call
        let back =
            "workers = 1000\n[[service.operation]]\nname = \"GET /\"\nmean_us = 300000\ndistribution = \"constant\"
            [[service.operation.call]]\nto = \"deep\"\ntimeout_ms = 2000";
        let rest = "[[service]]\nname = \"deep\"\nworkers = 1000\n[[service.operation]]\nname = \"GET /\"\nmean_us = 400000\ndistribution = \"constant\"";
        let mut world = world(&pair(100, call, back, rest), 7);
        assert_eq!(until(&mut world, 10).good, 0);
        let busy = (1..=1000).map(|step| {
            world.run_until(10 * crate::SECOND_NS + step * crate::SECOND_NS / 50);
            world.load().find(|(name, ..)| *name == "back").unwrap().2
        });
        busy.sum::<u32>() as f64 / 1000.0
    };
    // 100 requests a second: each is at work for 700 ms, or is taken back after 500, in the middle of its call
    let (plain, cancelled) = (at_work(""), at_work("cancel = true"));
    assert!((plain - 70.0).abs() < 3.0 && (cancelled - 50.0).abs() < 3.0, "{plain} {cancelled}");
}

#[test]
fn retries_wait_twice_as_long_each_time_and_a_share_of_it_by_chance() {
    let back = "workers = 1000\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000\nerror_share = 1.0\ndistribution = \"constant\"";
    let mut world = crate::spanning(&pair(20, "retries = 3\nbackoff_ms = 40\njitter = 0.5", back, ""), 8);
    until(&mut world, 30);
    let mut calls: std::collections::BTreeMap<u128, Vec<model::Span>> = std::collections::BTreeMap::new();
    for (service, span, _) in crate::telemetry::read(&mut world) {
        if service == "front" && span.kind == model::SpanKind::Client {
            calls.entry(span.trace.0).or_default().push(span);
        }
    }
    let mut waits: [Vec<f64>; 3] = Default::default();
    for attempts in calls.values_mut().filter(|attempts| attempts.len() == 4) {
        attempts.sort_by_key(|span| span.start_ns);
        for (number, pair) in attempts.windows(2).enumerate() {
            waits[number].push((pair[1].start_ns - pair[0].end_ns) as f64 / 1e6);
        }
    }
    for (number, full_ms) in [40.0, 80.0, 160.0].into_iter().enumerate() {
        let (low, high) =
            waits[number].iter().fold((f64::INFINITY, 0.0f64), |(low, high), wait| (low.min(*wait), high.max(*wait)));
        let mean = waits[number].iter().sum::<f64>() / waits[number].len() as f64;
        assert!(waits[number].len() > 400, "{}", waits[number].len());
        assert!(
            low >= 0.5 * full_ms - 0.1 && high <= full_ms + 0.1 && (mean / full_ms - 0.75).abs() < 0.03,
            "{low} {mean} {high}"
        );
    }
}

#[test]
fn a_day_swings_around_its_mean() {
    let toml = pair(200, "", "workers = 100\n[[service.operation]]\nname = \"GET /\"\nmean_us = 1000", "");
    let toml = toml.replace("timeout_ms = 2000", "timeout_ms = 2000\ndiurnal_share = 0.5\ndiurnal_period_s = 80.0");
    let mut world = world(&toml, 9);
    let mut rate = |to_s: u64| until(&mut world, to_s).offered as f64;
    // noon is a quarter of the way, midnight three quarters
    let (_, noon, _, midnight) = (rate(15), rate(25) / 10.0, rate(55), rate(65) / 10.0);
    assert!((noon - 295.0).abs() < 20.0 && (midnight - 105.0).abs() < 15.0, "{noon} {midnight}");
}
