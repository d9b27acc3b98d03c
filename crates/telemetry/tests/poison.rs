//! Records that cannot be read: the reason, the place, and nothing appended.
#![allow(missing_docs)]

mod common;

use model::{SpanId, TraceId};
use telemetry::emit::{ResourceSpans, SpanOut, Value, otlp_json, otlp_proto};
use telemetry::{Encoding, Facts, PoisonReason, Reader, ReaderConfig};

fn good() -> Vec<u8> {
    record("shop", "GET /")
}

fn record(service: &str, name: &str) -> Vec<u8> {
    let span =
        SpanOut { trace: model::TraceId(1), id: model::SpanId(2), start_ns: 3, end_ns: 4, name, ..SpanOut::default() };
    otlp_proto(&[ResourceSpans {
        resource: &[("service.name", Value::Str(service))],
        scope: "",
        scope_attributes: &[],
        spans: &[span],
    }])
}

#[test]
fn damage_has_a_reason_and_a_place() {
    use Encoding::{Auto, OtlpJson, OtlpProto};
    use PoisonReason as Reason;
    let cut = &good()[..20];
    for (encoding, payload, reason, at_byte) in [
        (OtlpProto, &[0x0a, 0x05, 0x12][..], Reason::Truncated, 2),
        (OtlpProto, cut, Reason::Truncated, 2),
        (OtlpProto, &[0x0a, 0x02, 0x12, 0x05], Reason::Truncated, 4),
        (OtlpProto, &[0xff; 12], Reason::Varint, 0),
        (OtlpProto, &[0x02, 0x00], Reason::Tag, 1),
        (OtlpProto, &[0xff, 0xff, 0xff, 0xff, 0x7f, 0x00], Reason::Tag, 0),
        (OtlpProto, &[0x0b, 0x0c], Reason::WireType, 1),
        (OtlpProto, &[0x08, 0x01], Reason::WireType, 1),
        (OtlpProto, &[0x0a, 0x02, 0x10, 0x01], Reason::WireType, 3),
        (Auto, b"hello, world", Reason::NotOtlp, 0),
        (Auto, b"[1,2]", Reason::NotOtlp, 0),
        (OtlpJson, b"", Reason::Json, 0),
        (Auto, b"{", Reason::Json, 0),
        (Auto, b"{} x", Reason::Json, 3),
        (Auto, b"{\"resourceSpans\":\n{\"a\":1}}", Reason::Json, 18),
        (Auto, b"{\"resourceSpans\":[7]}", Reason::Json, 18),
        (Auto, b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":\"x\"}]}]}]}", Reason::Json, 59),
        (Auto, b"{\"x\":\"\xff\"}", Reason::Utf8, 6),
        (Auto, b"\x00\x00\x00\x00\x01{", Reason::Json, 5),
        (OtlpProto, b"\x00\x00\x00\x00\x01\x00\x08\x01", Reason::WireType, 7),
    ] {
        let mut facts = Facts::default();
        let poison = Reader::new(ReaderConfig::default()).read(encoding, payload, &mut facts);
        let poison = poison.expect_err("poison");
        assert_eq!((poison.reason, poison.at_byte), (reason, at_byte), "{payload:?}: {poison}");
        assert_eq!(facts, Facts::default());
    }
}

#[test]
fn budgets_are_kept() {
    let spans = [SpanOut::default(); 11];
    let request = [ResourceSpans { resource: &[], scope: "", scope_attributes: &[], spans: &spans }; 3];
    for payload in [otlp_proto(&request), otlp_json(&request)] {
        for (config, reason) in [
            (ReaderConfig { payload_bytes_max: 100, ..Default::default() }, PoisonReason::TooLarge),
            (ReaderConfig { spans_max: 32, ..Default::default() }, PoisonReason::TooManySpans),
            (ReaderConfig { resources_max: 2, ..Default::default() }, PoisonReason::TooManyResources),
        ] {
            let poison = common::read_with(config, Encoding::Auto, &payload).expect_err("over budget");
            assert_eq!(poison.reason, reason, "{poison}");
        }
        let exact = ReaderConfig { spans_max: 33, resources_max: 3, ..Default::default() };
        assert!(common::read_with(exact, Encoding::Auto, &payload).is_ok());
    }
}

#[test]
fn names_of_a_poison_record_are_announced_by_the_next_good_one() {
    let mut reader = Reader::new(ReaderConfig::default());
    let mut facts = Facts::default();
    let mut poison = record("late", "GET /late");
    poison.extend([0x0a, 0x7f]);
    assert!(reader.read(Encoding::Auto, &poison, &mut facts).is_err());
    assert!(facts.names.is_empty());
    for announced in [3, 3] {
        reader.read(Encoding::Auto, &record("late", "GET /"), &mut facts).expect("a good record");
        assert_eq!(facts.names.len(), announced, "each once: {:?}", facts.names);
    }
}

#[test]
fn operations_past_the_cap_are_other() {
    let config = ReaderConfig { operations_per_service_max: 4, ..ReaderConfig::default() };
    let mut reader = Reader::new(config);
    let mut facts = Facts::default();
    for round in 0..3 {
        for operation in ["a", "b", "c", "d", "e", "f"] {
            reader.read(Encoding::Auto, &record("shop", operation), &mut facts).expect("a good record");
        }
        reader.read(Encoding::Auto, &record("cart", "a"), &mut facts).expect("a good record");
        let shown: Vec<&str> = facts.spans.iter().map(|span| common::text(&facts, span.operation)).collect();
        // The last place goes to the first that comes a second time.
        let last = if round == 0 { "other" } else { "d" };
        assert_eq!(shown, ["a", "b", "c", last, "other", "other", "a"], "round {round}");
        facts.spans.clear();
    }
}

#[test]
fn identity_is_put_together_as_configured() {
    use telemetry::{Identity, IdentityPart};
    let resource = [
        ("service.name", Value::Str("cart")),
        ("service.namespace", Value::Str("shop")),
        ("deployment.environment", Value::Str("prod")),
    ];
    let span = SpanOut { trace: model::TraceId(1), id: model::SpanId(2), end_ns: 4, ..SpanOut::default() };
    let payload =
        otlp_proto(&[ResourceSpans { resource: &resource, scope: "", scope_attributes: &[], spans: &[span] }]);
    use IdentityPart::{Cluster, Environment, Name, Namespace};
    for (parts, wanted) in [
        (vec![Name], "cart"),
        (vec![Namespace, Name], "shop/cart"),
        (vec![Environment, Cluster, Namespace, Name], "prod/shop/cart"),
        (vec![], "unknown_service"),
    ] {
        let config = ReaderConfig { identity: Identity(parts), ..ReaderConfig::default() };
        let facts = common::read_with(config, Encoding::Auto, &payload).expect("a good record");
        assert_eq!(common::text(&facts, facts.spans[0].service), wanted);
    }
}

#[test]
fn a_heavy_operation_that_comes_late_gets_its_name_and_no_heavy_one_loses_it() {
    let config = ReaderConfig { operations_per_service_max: 8, ..ReaderConfig::default() };
    let mut reader = Reader::new(config);
    let mut names = std::collections::BTreeMap::new();
    let mut read = |name: &str| {
        let span = SpanOut { name, trace: TraceId(1), id: SpanId(1), end_ns: 1, ..SpanOut::default() };
        let mut facts = Facts::default();
        let request = [ResourceSpans { spans: &[span], ..ResourceSpans::default() }];
        reader.read(Encoding::Auto, &otlp_proto(&request), &mut facts).expect("legal protobuf");
        names.extend(facts.names.into_iter().map(|named| (named.id, named.text)));
        names[&facts.spans[0].operation].clone()
    };
    let flood = |at: u64| {
        let letter = |digit: u32| char::from(b'a' + (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (5 * digit) & 15) as u8);
        (0..9).map(letter).collect::<String>()
    };
    // the first six places go to whoever comes first, and most of those never come again
    let early = ["first", "second"];
    for at in 0..3_000 {
        assert!(early.iter().all(|name| read(name) == *name), "{at}");
        (0..2).for_each(|_| drop(read(&flood(at))));
    }
    let late = "late and heavy";
    assert_eq!(read(late), "other");
    let mut since = None;
    for at in 3_000..6_000 {
        assert!(early.iter().all(|name| read(name) == *name), "{at}");
        read(&flood(at));
        if read(late) == late {
            since.get_or_insert(at);
        } else {
            assert_eq!(since, None, "what it has it keeps");
        }
    }
    assert!(since.is_some_and(|at| at < 3_500), "{since:?}");
}
