//! Callees without spans: databases, external services, addresses.

use super::fixture::{edge, edges, n, windows};
use model::{EdgeKind, NameId};

#[test]
fn databases_and_named_peers_are_edges_without_a_server_span() {
    let seen = windows(
        "1 - server web home 0..100
         2 1 client web SELECT 10..20 peer=postgres database
         3 1 client web charge 30..40 peer=bank.example
         4 1 client web get    50..60 peer=10.1.2.3 address
         5 1 client web what   70..80",
    );
    let names = ["web", "postgres", "bank.example", "10.1.2.3"];
    assert_eq!(
        edges(&seen, &names),
        ["web>- unresolved 1", "web>10.1.2.3 unresolved 1", "web>bank.example external 1", "web>postgres database 1"]
    );
    assert_eq!(edge(&seen, "web", "postgres").unpaired, n(0));
    assert_eq!(edge(&seen, "web", "postgres").key.callee_operation, NameId::of("SELECT"));
    assert_eq!(edge(&seen, "web", "bank.example").unpaired, n(1));
}

#[test]
fn paired_calls_teach_whom_an_address_stands_for() {
    let seen = windows(
        "trace 1
         1 - client web  get  0..50    peer=10.1.2.3 address
         2 1 server cart read 10..40
         trace 2
         1 - client shop put  1100..1150 peer=10.1.2.3 address
         trace 3
         1 - client web  get  1100..1150 peer=10.1.2.3 address timeout",
    );
    assert_eq!(edges(&seen, &["web", "shop", "cart"]), ["shop>cart call 1", "web>cart call 1", "web>cart call 1"]);
    let row = edge(&seen, "web", "cart");
    assert_eq!(
        (row.unpaired, row.key.callee_operation),
        (n(1), NameId::of("read")),
        "the way is known to the operation"
    );
}

#[test]
fn an_address_in_front_of_two_services_stands_for_neither_but_ways_are_told_apart() {
    let seen = windows(
        "trace 1
         1 - client web  get  0..50  peer=lb address
         2 1 server cart read 10..40
         trace 2
         1 - client web  buy  0..50  peer=lb address
         2 1 server shop sell 10..40
         trace 3
         1 - client web  buy  60..90 peer=lb address error
         trace 4
         1 - client app  buy  60..90 peer=lb address error",
    );
    let names = ["web", "shop", "cart", "app", "lb"];
    assert_eq!(edges(&seen, &names), ["app>lb unresolved 1", "web>cart call 1", "web>shop call 2"]);
}

#[test]
fn a_peer_named_as_a_service_that_is_known_is_that_service() {
    let seen = windows(
        "trace 1
         1 - server cart read 0..10
         trace 2
         1 - client web  get  20..40 peer=cart timeout",
    );
    assert_eq!(edge(&seen, "web", "cart").key.kind, EdgeKind::Call);
}
