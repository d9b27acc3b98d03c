//! Messages: by parent, or by the link's copy.

use super::fixture::{edge, edges, n, near, only_ms, service, windows};
use model::EdgeKind;

#[test]
fn a_consumer_under_its_producer_is_the_callee() {
    let seen = windows(
        "1 - server   shop  order 0..100
         2 1 producer shop  send  10..15 peer=orders
         3 2 consumer mail  take  20..80",
    );
    assert_eq!(edges(&seen, &["shop", "mail", "orders"]), ["shop>mail messaging 1"]);
    let row = edge(&seen, "shop", "mail");
    near(only_ms(&row.client), 5.0);
    near(only_ms(&row.server), 60.0);
    near(only_ms(&row.gap), 5.0);
    assert_eq!((row.wasted, row.unpaired, service(&seen, "mail").calls), (n(0), n(0), n(1)));
}

#[test]
fn the_copy_under_a_link_pairs_and_counts_nowhere_else() {
    let seen = windows(
        "trace 1
         1 - server   shop order 0..100
         2 1 producer shop send  10..15 peer=orders
         3 2 consumer mail take  20..80 linked
         trace 2
         3 - consumer mail take  20..80",
    );
    assert_eq!(edge(&seen, "shop", "mail").calls, n(1));
    assert_eq!(edge(&seen, "shop", "mail").key.kind, EdgeKind::Messaging);
    let mail = service(&seen, "mail");
    assert_eq!((mail.calls, mail.entries), (n(1), n(1)));
    assert_eq!(seen.iter().map(|window| window.spans).sum::<u64>(), 3);
}

#[test]
fn without_a_consumer_the_destination_is_the_callee() {
    let seen = windows(
        "1 - server   shop order 0..100
         2 1 producer shop send  10..15 peer=orders messaging",
    );
    assert_eq!(edges(&seen, &["shop", "orders"]), ["shop>orders messaging 1"]);
    assert_eq!(edge(&seen, "shop", "orders").unpaired, n(0));
}

#[test]
fn every_consumer_of_a_message_makes_its_own_edge() {
    let seen = windows(
        "2 - producer shop send  10..15 peer=orders
         3 2 consumer mail take  20..80
         4 2 consumer bill take  20..80 error",
    );
    assert_eq!(edges(&seen, &["shop", "mail", "bill"]), ["shop>bill messaging 1", "shop>mail messaging 1"]);
    assert_eq!(edge(&seen, "shop", "bill").failed(), n(1));
}

#[test]
fn polls_of_a_broker_are_no_requests_and_what_is_processed_in_them_is() {
    let seen = windows(
        "trace 1
         1 - producer shop send    10..15 peer=orders
         trace 2
         2 - internal mail receive 0..900 messaging streaming
         3 2 consumer mail process 910..930
         trace 1
         3 1 consumer mail process 910..930 linked",
    );
    let mail = service(&seen, "mail");
    assert_eq!((mail.calls, mail.entries), (n(1), n(0)));
    near(only_ms(&mail.duration), 20.0);
    assert_eq!(edges(&seen, &["shop", "mail", "orders"]), ["shop>mail messaging 1"]);
    near(only_ms(&edge(&seen, "shop", "mail").gap), 895.0);
}

#[test]
fn a_message_that_is_taken_later_counts_once_when_the_consumer_is_known() {
    let seen = windows(
        "trace 1
         1 - producer shop send 10..15     peer=orders messaging
         2 1 consumer mail take 20..80
         trace 2
         1 - producer shop send 1010..1015 peer=orders messaging
         2 1 consumer mail take 3000..3050
         trace 3
         1 - producer shop send 1020..1030 peer=orders messaging error",
    );
    assert_eq!(edges(&seen[1..2], &["shop", "mail", "orders"]), ["shop>mail messaging 1"], "what could not be sent");
    let row = edge(&seen, "shop", "mail");
    assert_eq!((row.calls, row.first_attempts, row.failed(), row.client.total()), (n(3), n(3), n(1), n(3)));
    assert_eq!(edge(&seen, "shop", "orders").calls, n(0));
}
