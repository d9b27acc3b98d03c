//! Samplers that leave no mark, seen beside what the service counted itself: a uniform one is corrected, others are biased.
#![allow(missing_docs)]

use model::{Count, EdgeKey, EdgeRow, Failure, NameId, ServiceKey, ServiceRow, Side, Window, WitnessRow};
use witness::{Bias, Witness};

const SECOND_NS: u64 = 1_000_000_000;
const START_S: u64 = 1_790_000_000;
/// Two instances export every ten seconds, each at a time of its own.
const INSTANCES: [u64; 2] = [0, 4];

/// What became of a second's calls: spans of all, spans of failures.
type Sampler = fn(second: u64, calls: u64, failed: u64, dice: &mut Dice) -> (u64, u64);

struct Dice(u64);

impl Dice {
    /// One in `of` times.
    fn one_in(&mut self, of: u64) -> bool {
        self.0 = model::stable_hash(&self.0.to_le_bytes());
        (self.0 >> 20).is_multiple_of(of)
    }

    fn kept(&mut self, calls: u64, one_in: u64) -> u64 {
        (0..calls).filter(|_| self.one_in(one_in)).count() as u64
    }
}

fn window(end_s: u64, calls: u64, failed: u64) -> Window {
    let (shop, cart) = (NameId::of("shop"), NameId::of("cart"));
    let mut failures: [Count; model::FAILURES] = Default::default();
    failures[Failure::Error.index()] = Count::of(failed);
    let calls = Count::of(calls);
    let spans = calls.0 / 1024;
    let service = ServiceRow {
        key: ServiceKey { service: cart, ..Default::default() },
        calls,
        failures,
        spans,
        ..Default::default()
    };
    let key = EdgeKey { caller: shop, callee: cart, ..EdgeKey::default() };
    let edge = EdgeRow { key, calls, first_attempts: calls, failures, spans, ..EdgeRow::default() };
    let (services, edges) = (vec![service], vec![edge]);
    Window { end_ns: end_s * SECOND_NS, width_ns: SECOND_NS, spans, services, edges, ..Window::default() }
}

/// Plays `seconds` of 190 to 210 calls a second, one in 25 of which fails, and gives the last window as corrected, the mean of
/// the corrected rates of the last minute, and the witness.
fn play(sampler: Sampler, seconds: u64, load: fn(u64) -> u64) -> (Window, f64, f64, Witness) {
    play_after(&[], 25, sampler, seconds, load)
}

/// The same, after rows that are no part of it.
fn play_after(
    rows: &[WitnessRow],
    one_fails_in: u64,
    sampler: Sampler,
    seconds: u64,
    load: fn(u64) -> u64,
) -> (Window, f64, f64, Witness) {
    let mut witness = Witness::default();
    witness.hear(rows, START_S * SECOND_NS);
    let mut dice = Dice(7);
    let (mut last, mut corrected, mut true_calls) = (Window::default(), 0.0, 0.0);
    let mut pending: Vec<Vec<(u64, u64)>> = vec![Vec::new(); INSTANCES.len()];
    for at in 0..seconds {
        let mut sum = (0, 0);
        for (instance, second) in pending.iter_mut().enumerate() {
            let calls = load(at) / 2 + (dice.kept(20, 2));
            let failed = dice.kept(calls, one_fails_in);
            second.push((calls, failed));
            sum = (sum.0 + calls, sum.1 + failed);
            if at % 10 == INSTANCES[instance] {
                let end_ns = (START_S + at + 1) * SECOND_NS;
                let row = WitnessRow {
                    service: NameId::of("cart"),
                    side: Side::Server,
                    start_ns: end_ns - second.len() as u64 * SECOND_NS,
                    end_ns,
                    calls: second.iter().map(|second| second.0).sum(),
                    failed: second.iter().map(|second| second.1).sum(),
                    ..WitnessRow::default()
                };
                second.clear();
                witness.hear(&[row], (START_S + at) * SECOND_NS);
            }
        }
        let (kept, failed) = sampler(at, sum.0, sum.1, &mut dice);
        last = witness.correct(&window(START_S + at + 1, kept, failed));
        if at + 60 >= seconds {
            corrected += last.services[0].calls.calls();
            true_calls += sum.0 as f64;
        }
    }
    (last, corrected / 60.0, true_calls / 60.0, witness)
}

fn cart(witness: &Witness) -> witness::Known {
    witness.service(NameId::of("cart")).expect("its metrics were heard for minutes")
}

#[test]
fn where_all_spans_come_the_window_is_what_it_is() {
    let (last, _, _, witness) = play(|_, calls, failed, _| (calls, failed), 300, |_| 180);
    let known = cart(&witness);
    assert_eq!((known.share, known.bias, known.text()), (None, None, None));
    assert!(!last.edges[0].biased);
    assert_eq!(last.services[0].calls.0 / 1024, last.spans, "nothing was corrected");
}

#[test]
fn one_in_ten_without_a_mark_is_corrected_to_within_five_percent() {
    let uniform: Sampler = |_, calls, failed, dice| {
        let failed_kept = dice.kept(failed, 10);
        (dice.kept(calls - failed, 10) + failed_kept, failed_kept)
    };
    let (last, corrected, truth, witness) = play(uniform, 400, |_| 180);
    let known = cart(&witness);
    assert_eq!(known.bias, None);
    assert!((known.share.expect("a share") - 0.1).abs() < 0.005, "{known:?}");
    assert!((known.rate_rps / truth - 1.0).abs() < 0.05, "{known:?}, truly {truth}");
    assert!((corrected / truth - 1.0).abs() < 0.05, "{corrected} corrected, truly {truth}");
    assert!(!last.edges[0].biased);
    assert!(last.edges[0].calls.calls() > 90.0, "the edge is corrected by its callee's share");
}

#[test]
fn a_share_of_which_too_few_failures_came_is_no_evidence_until_enough_have() {
    let uniform: Sampler = |_, calls, failed, dice| {
        let failed_kept = dice.kept(failed, 10);
        (dice.kept(calls - failed, 10) + failed_kept, failed_kept)
    };
    // Two failures a second among two hundred requests, of which one span comes in five seconds: six a block.
    let (last, _, truth, witness) = play_after(&[], 100, uniform, 80, |_| 180);
    assert_eq!(cart(&witness).bias, Some(Bias::Unproven), "{:?}", cart(&witness));
    assert!(last.edges[0].biased);
    assert!((cart(&witness).rate_rps / truth - 1.0).abs() < 0.05, "its rate is known all the same");
    let (last, _, _, witness) = play_after(&[], 100, uniform, 200, |_| 180);
    assert_eq!(cart(&witness).bias, None, "{:?}", cart(&witness));
    assert!(!last.edges[0].biased && last.edges[0].calls.calls() > 90.0);
    let errors: Sampler = |_, calls, failed, dice| (dice.kept(calls - failed, 10) + failed, failed);
    let (last, _, _, witness) = play_after(&[], 1000, errors, 400, |_| 180);
    assert!(cart(&witness).bias.is_some(), "{:?}", cart(&witness));
    assert!(last.edges[0].biased, "and not by a sampler that keeps failures");
}

#[test]
fn what_is_in_use_is_a_mean_over_half_a_minute_and_is_forgotten() {
    let (cart, cpu) = (NameId::of("cart"), WitnessRow::CPU);
    let used = |at_s, permille| WitnessRow {
        service: cart,
        operation: cpu,
        end_ns: at_s * SECOND_NS,
        used_permille: Some(permille),
        ..WitnessRow::default()
    };
    let start_s = START_S.next_multiple_of(30);
    let mut witness = Witness::default();
    witness.hear(&[used(start_s + 1, 500)], 0);
    assert_eq!(witness.used(cart, cpu), None, "before the first window");
    for (at_s, permille, wanted) in [(1, 500, 0.5), (11, 900, 0.7), (31, 100, 0.7), (61, 100, 0.1), (5, 0, 0.1)] {
        witness.hear(&[used(start_s + at_s, permille)], (start_s + 60) * SECOND_NS);
        assert_eq!(witness.used(cart, cpu), Some(wanted), "at {at_s}");
    }
    assert!(witness.is_silent(), "there is nothing to compare with spans");
    witness.hear(&[], (start_s + 300) * SECOND_NS);
    assert_eq!(witness.used(cart, cpu), None);
}

#[test]
fn what_is_counted_and_never_traced_is_no_sign_of_a_sampler() {
    let row = |operation: &str, at_s: u64, calls| WitnessRow {
        service: NameId::of("cart"),
        operation: NameId::of(operation),
        start_ns: (START_S + at_s - 10) * SECOND_NS,
        end_ns: (START_S + at_s) * SECOND_NS,
        calls,
        ..WitnessRow::default()
    };
    // Thirty calls a second and ten probes; spans show the calls only, under the name that the metrics have, or none.
    let shares = ["GET /", ""].map(|operation| {
        let mut witness = Witness::default();
        for at in 1..200 {
            let mut window = window(START_S + at, 30, 0);
            window.services[0].key.operation = NameId::of(operation);
            witness.correct(&window);
            if at.is_multiple_of(10) {
                witness.hear(&[row("GET /", at, 300), row("GET /healthz", at, 100)], (START_S + at) * SECOND_NS);
            }
        }
        let known = cart(&witness);
        (known.rate_rps, known.share.is_some() || known.bias.is_some())
    });
    assert_eq!(shares, [(30.0, false), (40.0, true)]);
}

#[test]
fn errors_kept_and_successes_thinned_out_are_biased_and_not_corrected() {
    let errors: Sampler = |_, calls, failed, dice| (dice.kept(calls - failed, 10) + failed, failed);
    let (last, corrected, truth, witness) = play(errors, 300, |_| 180);
    let known = cart(&witness);
    assert_eq!(known.bias, Some(Bias::Errors), "{known:?}");
    assert!(last.edges[0].biased);
    assert!(corrected < truth / 3.0, "its number of spans says nothing");
    assert!((known.error_share - 0.04).abs() < 0.01, "the metrics know how many fail: {known:?}");
    assert!(known.text().expect("it is said").starts_with("metrics say"));
}

#[test]
fn a_rate_limiter_is_biased_under_steady_and_under_changing_load() {
    let limited: Sampler = |_, calls, failed, _| (calls.min(20), (failed * 20 / calls.max(20)));
    let (last, _, _, witness) = play(limited, 300, |_| 180);
    assert_eq!(cart(&witness).bias, Some(Bias::Limited));
    assert!(last.edges[0].biased);
    let loose: Sampler = |at, calls, failed, dice| {
        let kept = (18 + at % 5).min(calls);
        (kept, dice.kept(failed, calls.div_ceil(kept).max(1)).min(kept))
    };
    let (last, _, _, witness) = play(loose, 300, |at| if at < 150 { 180 } else { 600 });
    assert!(matches!(cart(&witness).bias, Some(Bias::Unsteady | Bias::Limited)), "{:?}", cart(&witness));
    assert!(last.edges[0].biased);
}

#[test]
fn metrics_of_some_instances_only_and_no_metrics_any_more_say_nothing() {
    let (_, _, _, witness) = play(|_, calls, failed, _| (calls * 3, failed * 3), 300, |_| 180);
    assert_eq!(witness.service(NameId::of("cart")), None, "the metrics count less than the spans");
    let (_, _, _, mut witness) = play(|_, calls, failed, dice| (dice.kept(calls, 10), failed / 10), 300, |_| 180);
    assert!(witness.service(NameId::of("cart")).is_some());
    for at in 300..1300 {
        witness.correct(&window(START_S + at, 20, 1));
    }
    assert_eq!(witness.service(NameId::of("cart")), None, "they have stopped long ago");
    assert!(witness.is_silent(), "and take no more room");
}

#[test]
fn rows_whose_time_lies_far_from_the_windows_blind_nobody_and_take_no_room() {
    let row = |service: &str, start_ns, end_ns| WitnessRow {
        service: NameId::of(service),
        start_ns,
        end_ns,
        calls: u64::MAX,
        ..WitnessRow::default()
    };
    let now_ns = START_S * SECOND_NS;
    let far = [u64::MAX, now_ns * 2, now_ns + 3600 * SECOND_NS, now_ns - 3600 * SECOND_NS, 1].map(|end_ns| {
        let start_ns = end_ns.saturating_sub(10 * SECOND_NS);
        row("cart", start_ns, end_ns)
    });
    let mut witness = Witness::default();
    for now_ns in [0, now_ns, u64::MAX] {
        witness.hear(&far[1..], now_ns);
        witness.hear(&[row("cart", now_ns, now_ns), row("cart", u64::MAX, 0), row("cart", 0, u64::MAX)], now_ns);
        assert!(witness.is_silent(), "at {now_ns}");
    }
    witness.hear(&far, u64::MAX);
    witness.correct(&Window { end_ns: u64::MAX, ..Window::default() });

    // The service is first heard of with a time that its clock had before it was set.
    let (_, _, truth, witness) = play_after(&far, 25, |_, calls, failed, _| (calls, failed), 300, |_| 180);
    assert!((cart(&witness).rate_rps / truth - 1.0).abs() < 0.05, "{:?}", cart(&witness));
}
