//! A client span pairs with its server span, in any order.

use super::fixture::{config, edge, edges, n, near, only_ms, service, spans, windows, windows_of};
use model::{EdgeKind, NameId};

const CALL: &str = "
    1 - server web  home 0..100
    2 1 client web  get  10..60 peer=cart:80
    3 2 server cart read 20..50";

#[test]
fn a_call_counts_once_for_caller_and_callee() {
    let seen = windows(CALL);
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.first_attempts, row.retries, row.unpaired), (n(1), n(1), n(0), n(0)));
    assert_eq!((row.key.kind, row.key.caller_operation), (EdgeKind::Call, NameId::of("home")));
    assert_eq!(row.key.callee_operation, NameId::of("read"));
    near(only_ms(&row.client), 50.0);
    near(only_ms(&row.server), 30.0);
    near(only_ms(&row.gap), 20.0);
    assert_eq!(row.busy_us, 50_000);
    assert_eq!(row.exemplars.len(), 1);
    let (web, cart) = (service(&seen, "web"), service(&seen, "cart"));
    assert_eq!((web.calls, web.entries, cart.calls, cart.entries), (n(1), n(1), n(1), n(0)));
    near(only_ms(&web.exclusive), 50.0);
    near(only_ms(&cart.exclusive), 30.0);
    assert_eq!(edges(&seen, &["web", "cart"]), ["web>cart call 1"]);
}

#[test]
fn order_and_duplicates_change_nothing() {
    let all = spans(CALL);
    let expected = windows(CALL);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut shuffled: Vec<_> = order.iter().map(|at| all[*at]).collect();
        shuffled.extend_from_slice(&all);
        assert_eq!(windows_of(&shuffled, &config(), 1, &[]), expected);
    }
}

#[test]
fn a_missing_client_span_still_makes_an_edge() {
    let seen = windows(
        "1 - server   web  home 0..100
         2 1 internal web  work 10..60
         3 2 server   cart read 20..50 error",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.failed(), row.key.caller_operation), (n(1), n(1), NameId::of("home")));
    assert!(row.client.is_empty(), "nobody says what the caller waited");
    near(only_ms(&row.server), 30.0);
    assert_eq!(service(&seen, "cart").entries, n(0));
}

#[test]
fn internal_spans_lie_between_a_request_and_its_calls() {
    let seen = windows(
        "1 - server   web  home 0..100
         2 1 internal web  a    5..90
         3 2 internal web  b    6..80
         4 3 client   web  get  10..60
         5 4 server   cart read 20..50",
    );
    assert_eq!(edge(&seen, "web", "cart").key.caller_operation, NameId::of("home"));
    near(only_ms(&service(&seen, "web").exclusive), 50.0);
}

#[test]
fn both_halves_may_share_one_id() {
    for text in [
        "1 - server web  home 0..100
         2 1 client web  get  10..60
         2 1 server cart read 20..50
         3 2 client cart sql  25..35 database peer=db",
        "3 2 client cart sql  25..35 database peer=db
         2 1 server cart read 20..50
         2 1 client web  get  10..60
         2 1 client web  get  10..60
         2 1 server cart read 20..50
         1 - server web  home 0..100",
    ] {
        let seen = windows(text);
        assert_eq!(edges(&seen, &["web", "cart", "db"]), ["cart>db database 1", "web>cart call 1"]);
        assert_eq!((service(&seen, "web").entries, service(&seen, "cart").entries), (n(1), n(0)));
        assert_eq!(edge(&seen, "cart", "db").key.caller_operation, NameId::of("read"));
        near(only_ms(&service(&seen, "cart").exclusive), 20.0);
        near(only_ms(&edge(&seen, "web", "cart").gap), 20.0);
    }
}

#[test]
fn a_missing_server_span_leaves_the_call_unpaired_on_the_peer() {
    let seen = windows(
        "1 - server web home 0..100
         2 1 client web get  10..60 peer=payments timeout",
    );
    let row = edge(&seen, "web", "payments");
    assert_eq!((row.calls, row.unpaired, row.failed(), row.key.kind), (n(1), n(1), n(1), EdgeKind::External));
    near(only_ms(&row.client), 50.0);
}

#[test]
fn a_parent_that_was_never_seen_makes_a_server_span_an_entry() {
    let seen = windows("3 2 server cart read 20..50");
    assert_eq!((service(&seen, "cart").entries, seen[0].spans), (n(1), 1));
}

#[test]
fn a_caller_that_ends_in_the_next_window_does_not_make_an_entry() {
    let seen = windows(
        "1 - server web  home 900..1300
         2 1 client web  get  950..1200
         3 2 server cart read 960..980",
    );
    assert_eq!((service(&seen, "cart").entries, service(&seen, "web").entries), (n(0), n(1)));
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.unpaired), (n(1), n(0)));
    near(only_ms(&row.server), 20.0);
}

#[test]
fn internal_roots_are_entries_and_callers() {
    let seen = windows(
        "1 - internal cron tick 0..100
         2 1 client   cron get  10..60
         3 2 server   cart read 20..50",
    );
    let cron = service(&seen, "cron");
    assert_eq!((cron.calls, cron.entries, service(&seen, "cart").entries), (n(1), n(1), n(0)));
    assert_eq!(edge(&seen, "cron", "cart").key.caller_operation, NameId::of("tick"));
}

#[test]
fn behind_a_client_that_is_itself_the_outside_the_server_is_the_entry() {
    let seen = windows(
        "2 - client load get  10..60
         3 2 server web  home 20..50",
    );
    assert_eq!((edge(&seen, "load", "web").calls, service(&seen, "web").entries), (n(1), n(1)));
}

#[test]
fn inferred_server_kinds_work_without_any_client_span() {
    let seen = windows(
        "1 - server   front  home  0..100
         2 1 internal front  call  5..95
         3 2 server   travel query 10..90
         4 3 server   seat   left  20..40
         5 3 server   seat   left  50..70",
    );
    assert_eq!(edges(&seen, &["front", "travel", "seat"]), ["front>travel call 1", "travel>seat call 2"]);
    assert_eq!(service(&seen, "seat").calls, n(2));
}

#[test]
fn a_client_span_around_another_one_is_no_call_of_its_own() {
    let seen = windows(
        "1 - server web  home 0..100
         2 1 client web  sdk  10..60 peer=cart
         3 2 client web  get  12..58 peer=cart
         4 3 server cart read 20..50",
    );
    assert_eq!(edges(&seen, &["web", "cart"]), ["web>cart call 1"]);
}

#[test]
fn a_weighted_span_stands_for_many_and_an_unknown_weight_is_counted() {
    let seen = windows(
        "1 - server web home 0..100 weight=4
         trace 2
         1 - server web home 0..100 weight=0",
    );
    let row = service(&seen, "web");
    assert_eq!((row.calls, row.unweighted, row.busy_us), (n(5), n(1), 500_000));
}

#[test]
fn a_span_that_is_its_own_parent_and_a_cycle_end() {
    let seen = windows(
        "1 1 server   web a 0..10
         trace 2
         1 2 internal web a 0..10
         2 1 internal web b 0..10
         3 2 server   web c 0..10
         4 1 client   web d 0..10 peer=x",
    );
    assert_eq!(service(&seen, "web").calls, n(2));
    assert_eq!(edge(&seen, "web", "x").calls, n(1));
}
