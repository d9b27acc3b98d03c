use super::*;
use proptest::prelude::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn labels_are_read_from_headers_before_baggage_and_the_earliest_deadline_counts() {
    let said = headers(&[
        ("stopbank-criticality", "sheddable"),
        ("baggage", "user=7, stopbank.criticality=CRITICAL;ttl=1 ,stopbank.cohort=12"),
        ("grpc-timeout", "2S"),
        ("x-envoy-expected-rq-timeout-ms", "1500"),
        ("stopbank-attempt", "3"),
    ]);
    let labels = Labels::read(&said, 10_000);
    assert_eq!(labels.criticality, Some(Criticality::Sheddable));
    assert_eq!((labels.cohort, labels.deadline_ms, labels.attempt), (Some(12), Some(11_500), 3));
    let only_baggage = headers(&[("baggage", "stopbank.deadline_ms=99"), ("baggage", "stopbank.criticality=high")]);
    let labels = Labels::read(&only_baggage, 10_000);
    assert_eq!((labels.criticality, labels.deadline_ms), (Some(Criticality::Critical), Some(99)));
}

#[test]
fn nonsense_is_no_label() {
    let said = [
        ("stopbank-criticality", "very"),
        ("stopbank-cohort", "128"),
        ("stopbank-timeout-ms", "-3"),
        ("grpc-timeout", "123456789S"),
        ("x-envoy-expected-rq-timeout-ms", "0"),
        ("stopbank-attempt", "one"),
        ("baggage", "stopbank.cohort"),
    ];
    assert_eq!(Labels::read(&headers(&said), 10_000), Labels::default());
    for text in ["", "S", "é", "1x", "9é"] {
        assert_eq!(grpc_timeout_ms(text), None, "{text:?}");
    }
}

#[test]
fn what_comes_from_outside_is_stripped_and_foreign_baggage_stays() {
    let mut said = headers(&[
        ("stopbank-criticality", "CRITICAL_PLUS"),
        ("stopbank-timeout-ms", "9"),
        ("baggage", "user=7,stopbank.criticality=CRITICAL_PLUS"),
    ]);
    Labels::strip(&mut said);
    assert_eq!(said, headers(&[("baggage", "user=7")]));
}

#[test]
fn the_current_labels_are_those_of_the_innermost_request() {
    let of = |attempt| Labels { attempt, ..Labels::default() };
    with_current(of(2), || {
        with_current(of(3), || assert_eq!(Labels::current(), of(3)));
        assert_eq!(Labels::current(), of(2));
    });
    assert_eq!(Labels::current(), Labels::default());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        class in prop::option::of(0usize..4), cohort in prop::option::of(0u8..128),
        left_ms in prop::option::of(0u64..100_000), attempt in 1u32..255,
    ) {
        let labels = Labels {
            criticality: class.map(|class| Criticality::ALL[class]), cohort,
            deadline_ms: left_ms.map(|left_ms| 50_000 + left_ms), attempt,
        };
        let mut sent = headers(&[("baggage", "a=b"), ("stopbank-cohort", "1")]);
        labels.write(&mut sent, 50_000);
        prop_assert_eq!(Labels::read(&sent, 50_000), labels);
        // a hop that knows baggage only
        for name in [CRITICALITY, COHORT, TIMEOUT_MS] {
            sent.remove(name);
        }
        prop_assert_eq!(Labels::read(&sent, 50_000), labels);
        prop_assert!(sent["baggage"].to_str().unwrap().starts_with("a=b"));
    }
}
