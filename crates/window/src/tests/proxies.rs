//! Hops of a proxy are not callers or callees of their own.

use super::fixture::edge;
use super::fixture::{edges, n, near, only_ms, service, windows};

#[test]
fn sidecars_on_both_sides_collapse_into_one_call() {
    let seen = windows(
        "1 - server web   home 0..100
         2 1 client web   get  10..60
         3 2 client envoy out  12..58 proxy
         4 3 server envoy in   14..56 proxy
         5 4 server cart  read 20..50",
    );
    assert_eq!(edges(&seen, &["web", "cart", "envoy"]), ["web>cart call 1"]);
    near(only_ms(&edge(&seen, "web", "cart").gap), 20.0);
    assert_eq!((service(&seen, "envoy").calls, service(&seen, "cart").entries), (n(0), n(0)));
}

#[test]
fn behind_a_gateway_the_first_service_is_the_entry() {
    let seen = windows(
        "1 - server gateway in   0..100 proxy
         2 1 client gateway out  1..99  proxy
         3 2 server web     home 5..90",
    );
    assert_eq!(service(&seen, "web").entries, n(1));
    assert!(edges(&seen, &[]).is_empty());
}

#[test]
fn a_proxy_that_tries_again_makes_a_retry_of_its_second_attempt() {
    let seen = windows(
        "1 - server web   home 0..100
         2 1 client web   get  10..60
         3 2 server envoy in   14..56 proxy
         4 3 server cart  read 20..30 error
         5 3 server cart  read 32..50",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, service(&seen, "cart").calls), (n(2), n(2)));
    assert_eq!((row.first_attempts, row.retries, row.failed()), (n(1), n(1), n(1)), "the answer was good");
    near(only_ms(&row.gap), 32.0);
}

#[test]
fn attempts_of_a_proxy_that_reached_nobody_are_attempts_too() {
    let seen = windows(
        "1 - server web    home  0..100
         2 1 client web    get   10..60
         3 2 client envoy  out   12..58 proxy
         4 3 client envoy  try   13..18 proxy unavailable
         5 3 client envoy  again 18..57 proxy
         6 5 server envoy  in    20..56 proxy
         7 6 server cart   read  22..50",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.first_attempts, row.retries, row.failed()), (n(2), n(1), n(1), n(1)));
    assert_eq!((row.unpaired, service(&seen, "cart").calls), (n(0), n(1)));
    assert_eq!(edges(&seen, &["web", "cart", "envoy"]), ["web>cart call 2"]);
}

#[test]
fn a_call_that_no_attempt_of_the_proxy_brought_through_is_one_of_them() {
    let seen = windows(
        "1 - server web    home  0..100
         2 1 client web    get   10..60 peer=cart unavailable
         3 2 client envoy  out   12..58 proxy unavailable
         4 3 client envoy  try   13..18 proxy unavailable
         5 3 client envoy  again 18..57 proxy unavailable",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.first_attempts, row.retries, row.failed()), (n(2), n(1), n(1), n(2)));
}

#[test]
fn a_request_that_a_proxy_mirrors_to_another_service_is_no_retry() {
    let seen = windows(
        "1 - server web   home 0..100
         2 1 client web   get  10..60
         3 2 client envoy out  14..56 proxy
         4 3 server cart  read 20..50
         5 3 server cart2 read 21..49",
    );
    assert_eq!(edges(&seen, &["web", "cart", "cart2"]), ["web>cart call 1", "web>cart2 call 1"]);
    assert_eq!(edge(&seen, "web", "cart").retries, n(0));
}
