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
fn a_proxy_that_tries_again_makes_two_calls_of_one() {
    let seen = windows(
        "1 - server web   home 0..100
         2 1 client web   get  10..60
         3 2 server envoy in   14..56 proxy
         4 3 server cart  read 20..30 error
         5 3 server cart  read 32..50",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, service(&seen, "cart").calls), (n(2), n(2)));
}
