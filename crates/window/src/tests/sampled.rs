//! Samplers that mark the root of a trace only.

use super::fixture::{edge, n, service, windows};

const MARKED: &str = "1 - server web  home 0..100 weight=100 root-says
     2 1 client web  get  10..60
     3 2 server cart read 14..56
     4 3 client cart ask  20..40 peer=db database";

#[test]
fn what_lies_below_a_root_that_speaks_for_its_trace_is_not_taken_for_all_there_is() {
    let seen = windows(MARKED);
    assert_eq!(service(&seen, "web").calls, n(100));
    assert!(edge(&seen, "web", "cart").biased && edge(&seen, "cart", "db").biased);
    assert_eq!(service(&seen, "cart").unweighted, n(1), "which lowers the coverage");
    let plain = windows(&MARKED.replace(" root-says", ""));
    assert!(!edge(&plain, "web", "cart").biased);
}

#[test]
fn a_root_that_comes_after_its_calls_were_counted_still_speaks_for_them() {
    let seen = windows(&MARKED.replace("0..100", "0..2900"));
    assert_eq!(edge(&seen, "web", "cart").calls, n(1), "counted with its own end");
    assert!(edge(&seen, "web", "cart").biased, "and doubted with the root's");
}

#[test]
fn spans_that_weigh_by_themselves_are_not_doubted() {
    let seen = windows(&MARKED.replace("10..60", "10..60 weight=100").replace("14..56", "14..56 weight=100"));
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.biased), (n(100), false));
}
