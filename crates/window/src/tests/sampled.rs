//! Samplers that mark the root of a trace only.

use super::fixture::{config, edge, flows, n, service, spans, windows, windows_of};
use model::NameId;

const MARKED: &str = "1 - server web  home 0..100 weight=100 root-says
     2 1 client web  get  10..60
     3 2 server cart read 14..56
     4 3 client cart ask  20..40 peer=db database";

#[test]
fn what_lies_below_a_root_that_speaks_for_its_trace_stands_for_as_many() {
    let seen = windows(MARKED);
    let called = edge(&seen, "web", "cart");
    assert_eq!((called.calls, called.first_attempts, called.biased), (n(100), n(100), false));
    assert_eq!((called.client.total(), called.server.total(), called.gap.total()), (n(100), n(100), n(100)));
    assert_eq!(called.busy_us, 100 * 50_000);
    assert_eq!(edge(&seen, "cart", "db").calls, n(100));
    for name in ["web", "cart"] {
        let row = service(&seen, name);
        assert_eq!((row.calls, row.duration.total(), row.exclusive.total()), (n(100), n(100), n(100)), "{name}");
        assert_eq!(row.unweighted, n(0), "{name}");
    }
    assert_eq!((service(&seen, "web").entries, service(&seen, "cart").entries), (n(100), n(0)));
    let flow = flows(&seen, "web")[0];
    let visits = [(NameId::of("web"), n(100)), (NameId::of("cart"), n(100))];
    assert_eq!(flow.requests, n(100));
    assert!(visits.iter().all(|visit| flow.visits.contains(visit)), "{flow:?}");
}

#[test]
fn it_stands_for_more_and_is_as_sure_as_the_spans_that_were_seen() {
    let seen = windows(MARKED);
    let spans: Vec<u64> = seen.iter().flat_map(|window| window.edges.iter().map(|row| row.spans)).collect();
    assert_eq!(spans, [1, 1]);
    let spans: u64 = seen.iter().flat_map(|window| window.services.iter().map(|row| row.spans)).sum();
    assert_eq!(spans, 2);
}

#[test]
fn a_root_that_comes_after_its_calls_were_counted_still_speaks_for_them() {
    let late = MARKED.replace("0..100", "0..2900").replace("14..56", "14..56 instance=cart-1");
    let seen = windows(&late);
    let called = |at: usize| edge(&seen[at..at + 1], "web", "cart").calls;
    assert_eq!((called(0), called(2)), (n(1), n(99)), "the rest is counted with the root's end");
    assert_eq!(service(&seen, "cart").calls, n(100));
    assert_eq!(edge(&seen, "cart", "db").calls, n(100));
}

#[test]
fn what_ends_after_its_root_stands_for_as_many_too() {
    let seen = windows(
        "1 - server   web  home 0..100 weight=100 root-says
         2 1 producer web  send 10..20 peer=orders messaging
         3 2 consumer bill take 2000..2100 error
         4 3 client   bill ask  2010..2040 peer=db database",
    );
    assert_eq!(edge(&seen, "web", "bill").calls, n(100));
    assert_eq!(edge(&seen, "bill", "db").calls, n(100));
    let row = service(&seen, "bill");
    assert_eq!((row.calls, row.failed()), (n(100), n(100)));
}

#[test]
fn what_is_weighed_does_not_depend_on_the_number_of_shards() {
    let text: String = (1..40)
        .map(|trace| format!("trace {trace}\n{}\n", MARKED.replace("0..100", &format!("0..{}", 60 + trace * 70))))
        .collect();
    let read = |shards| windows_of(&spans(&text), &config(), shards, &[]);
    assert_eq!(read(3), read(1));
    assert_eq!(edge(&read(1), "web", "cart").calls, n(3900));
}

#[test]
fn below_a_root_whose_sampler_keeps_a_rate_all_is_doubted() {
    let seen = windows(&MARKED.replace("weight=100", "biased"));
    assert!(edge(&seen, "web", "cart").biased && edge(&seen, "cart", "db").biased);
    assert_eq!(service(&seen, "cart").unweighted, n(1), "which lowers the coverage");
    let plain = windows(&MARKED.replace(" root-says", ""));
    assert_eq!((edge(&plain, "web", "cart").biased, edge(&plain, "web", "cart").calls), (false, n(1)));
}

#[test]
fn spans_that_weigh_by_themselves_are_left_alone() {
    let seen = windows(&MARKED.replace("10..60", "10..60 weight=10").replace("14..56", "14..56 weight=10"));
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.biased), (n(10), false));
}
