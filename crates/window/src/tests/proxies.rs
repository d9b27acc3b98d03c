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

/// Two sidecars on the way of a call between two services that emit nothing, behind a gateway.
const SILENT: &str = "1 - client gateway out  0..100 proxy
     2 1 server web     home 2..98  sidecar instance=web-1
     3 2 client web     get  10..60 sidecar
     4 3 server cart    read 14..56 sidecar instance=cart-1";

#[test]
fn sidecars_stand_for_services_that_emit_nothing() {
    let seen = windows(SILENT);
    assert_eq!(edges(&seen, &["web", "cart", "gateway"]), ["web>cart call 1"]);
    let (web, cart) = (service(&seen, "web"), service(&seen, "cart"));
    assert_eq!((web.calls, web.entries, cart.calls, cart.entries), (n(1), n(1), n(1), n(0)));
    assert_eq!(cart.key.instance, model::NameId::of("cart-1"));
    near(only_ms(&web.exclusive), 46.0);
    near(only_ms(&edge(&seen, "web", "cart").gap), 8.0);
    assert_eq!(seen.iter().map(|window| window.flows.len()).sum::<usize>(), 1, "the gateway's request is a flow");
}

#[test]
fn a_service_of_whose_spans_one_is_missing_is_not_counted_by_its_sidecar() {
    let seen = windows(
        "trace 1
         1 - server web   home 0..100 sidecar
         2 1 server web   home 1..99
         trace 2
         1 - server web   home 0..100 sidecar
         trace 3
         1 - server store home 0..100 sidecar
         2 1 server shop  home 1..99
         trace 4
         1 - server store home 0..100 sidecar
         2 1 client store get  10..20 sidecar
         3 2 server cart  read 12..18 sidecar",
    );
    assert_eq!(service(&seen, "web").calls, n(1), "the sidecar counts nothing beside a service that emits spans");
    assert_eq!(service(&seen, "store").calls, n(0), "nor where the service has another name than its sidecar");
    assert!(edges(&seen, &["store", "cart"]).is_empty());
}

#[test]
fn a_silent_service_between_two_that_emit_spans_is_a_hop_of_its_own() {
    let seen = windows(
        "1 - server web   home  0..100
         2 1 client web   get   10..60 peer=mid.shop address
         3 2 client web   out   11..59 sidecar
         4 3 server mid   in    12..58 sidecar
         5 4 client mid   out   20..50 sidecar
         6 5 server cart  in    21..49 sidecar
         7 6 server cart  read  22..48",
    );
    assert_eq!(
        edges(&seen, &["web", "mid", "cart", "mid.shop"]),
        ["mid>cart call 1", "web>mid call 1"],
        "cart is not called by web, and mid's sidecar says who is"
    );
    assert_eq!((service(&seen, "mid").calls, service(&seen, "mid").entries), (n(1), n(0)));
    let asked = edge(&seen, "web", "mid");
    assert_eq!((asked.calls, asked.unpaired), (n(1), n(0)), "no half is missing that could have come");
}

#[test]
fn sidecars_of_one_trace_in_two_windows_count_once() {
    let moved = SILENT.replace("0..100", "920..1080").replace("2..98", "922..1078").replace("10..60", "930..990");
    let seen = windows(&moved.replace("14..56", "934..986"));
    assert_eq!(edges(&seen, &["web", "cart"]), ["web>cart call 1"]);
    assert_eq!((service(&seen, "web").calls, service(&seen, "cart").calls), (n(1), n(1)));
    assert_eq!((service(&seen, "web").entries, service(&seen, "cart").entries), (n(1), n(0)));
}

/// A call of a service that emits spans through both sidecars to one of which no span was seen.
const ASKED: &str = "1 - server web   home 0..100
     2 1 client web   get  10..60 peer=cart.shop address
     3 2 client web   out  12..58 sidecar
     4 3 server cart  read 14..56 sidecar instance=cart-1";

#[test]
fn a_call_to_a_service_that_emits_nothing_is_a_call_to_whom_its_sidecar_names() {
    let lost = ASKED.replace("12..58 sidecar", "12..58 sidecar unavailable").replace("10..60", "10..60 error");
    let lost = lost.lines().take(3).collect::<Vec<_>>().join("\n");
    let seen = windows(&format!("trace 1 \n {ASKED} \n trace 2 \n {lost}"));
    assert_eq!(edges(&seen, &["web", "cart", "cart.shop"]), ["web>cart call 2"], "also what reached nobody");
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.unpaired, row.failed()), (n(2), n(1), n(1)));
    assert_eq!(row.key.callee_operation, model::NameId::of("read"));
    assert_eq!(service(&seen, "cart").calls, n(1));
    assert_eq!(service(&seen, "cart").key.instance, model::NameId::of("cart-1"));
}

#[test]
fn the_sidecar_of_a_service_of_which_a_span_is_missing_names_nobody() {
    let whole = format!("{ASKED} \n 5 4 server basket read 20..50").replace("cart.shop", "basket.shop");
    let seen = windows(&format!("trace 1 \n {whole} \n trace 2 \n {ASKED}"));
    assert_eq!(
        edges(&seen, &["web", "cart", "basket", "cart.shop"]),
        ["web>basket call 1", "web>cart.shop unresolved 1"],
        "the service has another name"
    );
    assert_eq!(edge(&seen, "web", "cart.shop").unpaired, n(1));
    assert_eq!(service(&seen, "cart").calls, n(0));
}
