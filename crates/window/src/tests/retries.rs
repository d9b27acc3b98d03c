//! Retries, timeouts, wasted work.

use super::fixture::{edge, n, service, windows};
use std::fmt::Write;

#[test]
fn the_span_itself_says_which_attempt_it_is() {
    let seen = windows(
        "1 - server web  home 0..100
         2 1 client web  get  10..20 peer=cart attempt=1 error
         3 1 client web  get  30..40 peer=cart attempt=2",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.first_attempts, row.retries), (n(2), n(1), n(1)));
}

#[test]
fn a_call_after_a_failed_one_is_a_retry_in_any_order_of_arrival() {
    for text in [
        "1 - server web home 0..100
         2 1 client web get  10..20 peer=cart error
         3 1 client web get  30..40 peer=cart error
         4 1 client web get  60..70 peer=cart",
        "4 1 client web get  60..70 peer=cart
         3 1 client web get  30..40 peer=cart error
         2 1 client web get  10..20 peer=cart error",
    ] {
        let row = edge(&windows(text), "web", "cart");
        assert_eq!((row.calls, row.first_attempts, row.retries), (n(3), n(1), n(2)));
    }
}

#[test]
fn repeats_after_success_are_no_retries() {
    let mut text = String::from("1 - server web home 0..1000\n");
    for call in 0..50u32 {
        writeln!(text, "{} 1 client web get {}..{} peer=cart", call + 2, call * 10, call * 10 + 9).expect("text");
    }
    let row = edge(&windows(&text), "web", "cart");
    assert_eq!((row.calls, row.first_attempts, row.retries), (n(50), n(50), n(0)));
}

#[test]
fn another_operation_another_callee_or_a_parallel_call_is_no_retry() {
    let seen = windows(
        "1 - server web home  0..100
         2 1 client web get   10..20 peer=cart error
         3 1 client web put   30..40 peer=cart
         4 1 client web get   30..40 peer=stock
         5 1 client web get   15..25 peer=cart",
    );
    assert_eq!((edge(&seen, "web", "cart").retries, edge(&seen, "web", "stock").retries), (n(0), n(0)));
}

#[test]
fn a_retry_to_another_address_of_the_same_service_is_one() {
    let seen = windows(
        "1 - server web  home 0..100
         2 1 client web  get  10..20 peer=10.0.0.1 address error
         3 2 server cart read 11..19 error
         4 1 client web  get  30..40 peer=10.0.0.2 address
         5 4 server cart read 31..39",
    );
    assert_eq!(edge(&seen, "web", "cart").retries, n(1));
}

fn failing_after(durations_ms: &[u32], options: &str) -> String {
    let mut text = String::new();
    for (at, duration_ms) in durations_ms.iter().enumerate() {
        let call = format!("1 - client web get 0..{duration_ms} peer=cart {options}");
        writeln!(text, "trace {}\n{call}", at + 1).expect("text");
    }
    text
}

#[test]
fn failed_durations_that_pile_up_show_the_timeout() {
    let timeout_us = |text: &str| edge(&windows(text), "web", "cart").timeout_us;
    assert_eq!(timeout_us(&failing_after(&[250, 251, 252, 40], "error")), 250_000);
    assert_eq!(timeout_us(&failing_after(&[250, 251], "error")), 0, "two are no pile");
    assert_eq!(timeout_us(&failing_after(&[10, 50, 90, 200, 250, 251, 252], "error")), 0, "most lie elsewhere");
    assert_eq!(timeout_us(&failing_after(&[3, 3, 3, 3], "unavailable")), 0, "a refused connection is no timeout");
    assert_eq!(timeout_us(&failing_after(&[250, 250, 250], "error timeout=300")), 300_000, "what is said wins");
}

#[test]
fn errors_that_the_server_answers_show_no_timeout() {
    let mut text = String::new();
    for trace in 1..9 {
        let call = "1 - client web get 0..50\n2 1 server cart read 10..40 error";
        writeln!(text, "trace {trace}\n{call} \n").expect("text");
    }
    let text = text.replace("0..50\n", "0..50 error\n");
    assert_eq!(edge(&windows(&text), "web", "cart").timeout_us, 0);
}

#[test]
fn a_server_that_outlasts_its_client_wastes_work() {
    let seen = windows(
        "1 - client web  get  0..250 timeout
         2 1 server cart read 10..900",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.wasted, service(&seen, "cart").wasted), (n(1), n(1), n(1)));
    let fine = windows(
        "1 - client web  get  0..250
         2 1 server cart read 10..249",
    );
    assert_eq!(edge(&fine, "web", "cart").wasted, n(0));
}

#[test]
fn an_answer_that_never_arrives_is_lost_and_not_wasted() {
    let lost = |text: &str| (service(&windows(text), "cart").lost, service(&windows(text), "cart").wasted);
    let gray = "1 - client web  get  0..1250 timeout
         2 1 server cart read 10..40";
    assert_eq!(lost(gray), (n(1), n(0)), "although its client's span ends a window later");
    let failed = "1 - client web  get  0..250 timeout
         2 1 server cart read 10..40 error";
    assert_eq!(lost(failed), (n(0), n(0)), "it says itself that it failed");
    let late = "1 - client web  get  0..250 timeout
         2 1 server cart read 10..900";
    assert_eq!(lost(late), (n(0), n(1)));
}

#[test]
fn a_server_half_that_ends_later_leaves_a_censored_call_and_counts_its_own_facts_then() {
    let seen = windows(
        "trace 1
         1 - client web  get  0..50   peer=cart
         2 1 server cart read 10..40
         trace 2
         1 - client web  get  0..250  peer=cart timeout
         2 1 server cart read 10..1500",
    );
    let row = edge(&seen, "web", "cart");
    assert_eq!((row.calls, row.unpaired, row.wasted), (n(2), n(1), n(1)));
    assert_eq!((row.client.total(), row.server.total(), row.gap.total()), (n(2), n(2), n(1)));
    assert_eq!((seen[0].edges[0].calls, seen[1].edges[0].calls), (n(2), n(0)), "one row, the name is resolved");
    assert_eq!(service(&seen, "cart").wasted, n(1));
}

#[test]
fn a_limiter_that_refuses_is_no_failure() {
    let row = edge(&windows("1 - client web get 0..5 peer=cart shed"), "web", "cart");
    assert_eq!((row.failed(), row.failed_by(model::Failure::Shed)), (n(0), n(1)));
}
