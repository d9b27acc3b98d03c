//! Promise: whatever bytes come from outside, nothing panics; damage to a record is an error. The functions are those of
//! `fuzz/`, run over their corpora and over mutations of them; `STOPBANK_TEST_MUTATIONS` says how many (8,000 each).

#[path = "../fuzz/targets.rs"]
mod targets;

use control::{Clamps, Me, OrderGate, Record, Subscriber, Verdict, verify_chain};
use engine::{Engine, EngineConfig, Input};
use model::{GuardReport, Order, OrderKind, Window};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use targets::{TARGETS, keyring};
use telemetry::emit::{ResourceSpans, SpanOut, Value, otlp_json, otlp_proto};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("each target has a corpus").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a readable file"))).collect()
}

/// `STOPBANK_TEST_CORPORA=write` writes the seeds anew; files that a fuzzer has found stay beside them.
#[test]
fn every_target_survives_its_corpus_and_what_is_made_of_it() {
    if std::env::var_os("STOPBANK_TEST_CORPORA").is_some() {
        write_seeds();
    }
    let mutations: u64 = std::env::var("STOPBANK_TEST_MUTATIONS").map_or(8_000, |text| text.parse().expect("a number"));
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(seeds.len() >= 3, "{name}: {} seeds", seeds.len());
        seeds.iter().for_each(|(_, bytes)| target(bytes));
        let mut mutator = Mutator(0x5eed);
        for round in 0..mutations {
            let mut bytes = seeds[round as usize % seeds.len()].1.clone();
            let other = &seeds[mutator.below(seeds.len())].1;
            mutator.mutate(&mut bytes, other);
            let survived = std::panic::catch_unwind(|| target(&bytes));
            if survived.is_err() {
                let found = std::env::temp_dir().join(format!("stopbank-{name}-{round}"));
                fs::write(&found, &bytes).expect("a writable folder");
                panic!("{name}: mutation {round} crashes it: {}", found.display());
            }
        }
    }
}

/// Changes a few bytes, as a fuzzer would.
struct Mutator(u64);

impl Mutator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 17
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let (at, to) = (self.below(bytes.len()), self.below(bytes.len()));
            match self.below(7) {
                _ if bytes.is_empty() => bytes.push(self.next() as u8),
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => drop(bytes.drain(at.min(to)..at.max(to))),
                4 => bytes.insert(at, self.next() as u8),
                5 => bytes.copy_within(at.min(to)..at.max(to), 0),
                _ => {
                    let from = self.below(other.len());
                    let end = (from + self.below(64)).min(other.len());
                    bytes.splice(at..at, other[from..end].iter().copied());
                }
            }
        }
    }
}

/// Every way to cut a record short, and to turn one bit of it.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cuts = (0..bytes.len()).map(|end| bytes[..end].to_vec());
    let flips = (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    });
    cuts.chain(flips)
}

fn golden(name: &str) -> Record {
    let (_, bytes) = corpus("contract").into_iter().find(|(path, _)| path.ends_with(name)).expect(name);
    targets::record(&bytes)
}

#[test]
fn a_signed_record_that_is_damaged_anywhere_is_refused() {
    let (command, order) = (golden("command"), golden("order"));
    let links = [golden("audit-0"), golden("audit-1")];
    let refused = AtomicBool::new(false);
    let with = |record: &Record, value: Vec<u8>| Record { value, ..record.clone() };
    let subscribe = |record: &Record| {
        let me = Me { service: "cart".into(), instance: "cart-0".into(), ..Me::default() };
        Subscriber::new("shop", me, keyring(), Clamps::default()).offer(record, 1_790_000_000_500)
    };
    assert_eq!(subscribe(&command), Verdict::Accepted);
    for value in damaged(&command.value) {
        assert_ne!(subscribe(&with(&command, value)), Verdict::Accepted);
        refused.store(true, Ordering::Relaxed);
    }
    let offer = |record: &Record| OrderGate::new("shop", keyring()).offer(record, 1_790_000_000_500);
    offer(&order).expect("whole");
    damaged(&order.value).for_each(|value| assert!(offer(&with(&order, value)).is_err()));
    verify_chain(&links, &keyring()).expect("whole");
    for value in damaged(&links[0].value) {
        let broken = [with(&links[0], value), links[1].clone()];
        assert!(verify_chain(&broken, &keyring()).is_err());
    }
    assert!(refused.into_inner());
}

#[test]
fn an_unsigned_record_that_is_damaged_anywhere_never_panics_and_cut_short_is_an_error() {
    for name in ["report", "claim", "finding", "dead-letter"] {
        let record = golden(name);
        for value in damaged(&record.value) {
            let cut = value.len() < record.value.len();
            let damaged = Record { value, ..record.clone() };
            let read = match name {
                "report" => control::decode_report(&damaged).is_ok(),
                "claim" => control::decode_claim(&damaged).is_ok(),
                "finding" => control::decode_finding(&damaged).is_ok(),
                _ => control::decode_dead_letter(&damaged).is_ok(),
            };
            assert!(!(cut && read), "{name} cut to {} bytes is read", damaged.value.len());
        }
    }
    for (_, bytes) in corpus("journal") {
        let whole = postcard::from_bytes::<Input>(&bytes).is_ok();
        for damaged in damaged(&bytes).filter(|_| whole) {
            let cut = damaged.len() < bytes.len();
            assert!(!(cut && postcard::from_bytes::<Input>(&damaged).is_ok()), "a journal entry cut short is read");
        }
    }
}

#[test]
fn a_snapshot_that_is_damaged_anywhere_never_panics_and_cut_short_is_an_error() {
    let bytes = state();
    assert!(Engine::restore(&bytes).is_ok());
    for damaged in damaged(&bytes) {
        let cut = damaged.len() < bytes.len();
        assert!(!(cut && Engine::restore(&damaged).is_ok()), "a snapshot cut to {} bytes is read", damaged.len());
    }
}

fn state() -> Vec<u8> {
    let mut engine = Engine::new(EngineConfig { domain: "shop".into(), ..EngineConfig::default() });
    inputs().iter().for_each(|input| drop(engine.apply(input)));
    engine.snapshot()
}

fn inputs() -> Vec<Input> {
    let order = Order { id: "o".into(), by: "kim".into(), note: String::new(), at_ms: 9, kind: OrderKind::Disarm };
    vec![
        Input::Window(Window { end_ns: 5_000_000_000, width_ns: 1_000_000_000, ..Window::default() }),
        Input::Tick { now_ms: 7_000 },
        Input::Report(GuardReport::default()),
        Input::Order(order),
        Input::Config(Box::new(EngineConfig { domain: "shop".into(), ..EngineConfig::default() })),
        Input::Sampling { kept_permille: 500 },
        Input::Measured(vec![model::WitnessRow { calls: 3, ..model::WitnessRow::default() }]),
    ]
}

fn write_seeds() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder).expect("a writable folder");
        fs::write(folder.join(name), bytes).expect("a writable folder");
    };
    let spans = [
        SpanOut {
            trace: model::TraceId(1),
            id: model::SpanId(2),
            start_ns: 3,
            end_ns: 9,
            name: "GET /",
            ..SpanOut::default()
        },
        SpanOut {
            trace: model::TraceId(1),
            id: model::SpanId(3),
            parent: model::SpanId(2),
            end_ns: 8,
            ..SpanOut::default()
        },
    ];
    let request = [ResourceSpans {
        resource: &[("service.name", Value::Str("shop"))],
        scope: "s",
        scope_attributes: &[],
        spans: &spans,
    }];
    let (proto, json) = (otlp_proto(&request), otlp_json(&request));
    put("otlp", "proto", &proto);
    put("otlp", "json", &json);
    put("otlp", "two", &[proto.clone(), proto.clone()].concat());
    for odd in ["escapes", "unknown_fields", "consumer_with_links", "exceptions_after_status"] {
        let path = root().join(format!("crates/telemetry/tests/corpus/{odd}.json"));
        put("otlp", odd, &fs::read(path).expect("it is in the repository"));
    }
    let length = [&(proto.len() as u8).to_be_bytes()[..], &proto].concat();
    put("capture", "lines", &[json.clone(), b"\n".to_vec(), json, b"\n".to_vec()].concat());
    put("capture", "delimited", &[length.clone(), length].concat());
    put("capture", "empty", b"");
    for (name, record) in contract_seeds() {
        put("contract", name, &targets::bytes(&record));
    }
    for (at, input) in inputs().iter().enumerate() {
        put("journal", &format!("input-{at}"), &postcard::to_stdvec(input).expect("plain data"));
    }
    put("snapshot", "state", &state());
    put("snapshot", "new", &Engine::new(EngineConfig::default()).snapshot());
    put("snapshot", "foreign", &[0xff; 64]);
    for (name, records) in snapshot_seeds() {
        put("snapshots", name, &postcard::to_stdvec(&records).expect("plain data"));
    }
}

/// A record's key and value.
type Pair = (String, Option<Vec<u8>>);

/// Snapshots topics: a whole snapshot, one whose chunk is gone, and one whose chunk is not what was written.
fn snapshot_seeds() -> [(&'static str, Vec<Pair>); 3] {
    let state = state();
    let digest = Engine::restore(&state).expect("it was just written").digest();
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let manifest = serde_json::json!({
        "format": 1, "epoch": 7, "number": 4, "program": "0.1.0", "at_ms": 1_790_000_000_000_u64, "journal_at": [0, 12],
        "journal_index": 13, "bytes": state.len(), "digest": name, "chunks": [name],
    });
    let manifest = ("shop/manifest/1".to_owned(), Some(manifest.to_string().into_bytes()));
    let chunk = |value: Option<Vec<u8>>| (format!("shop/chunk/{name}"), value);
    let mut other = state.clone();
    other[9] ^= 1;
    [
        ("whole", vec![chunk(Some(state.clone())), manifest.clone()]),
        ("torn", vec![chunk(Some(state)), manifest.clone(), chunk(None)]),
        ("damaged", vec![chunk(Some(other)), manifest]),
    ]
}

#[test]
fn the_snapshots_of_the_corpus_are_what_they_are_called() {
    for (name, bytes) in corpus("snapshots") {
        let read = runtime::newest_snapshot(targets::snapshot_topic(&bytes), "shop");
        assert_eq!(read.is_ok(), name.ends_with("whole"), "{name:?}: {read:?}");
        assert_eq!(
            read.map_or_else(|flaws| flaws.len(), |(_, flaws)| flaws.len()),
            usize::from(!name.ends_with("whole"))
        );
    }
}

/// The contract's golden records.
fn contract_seeds() -> Vec<(&'static str, Record)> {
    let signer = control::Signer::from_seed([0x11; 32]);
    let command = model::Command {
        id: model::CommandId("c0ffee".into()),
        sequence: 3,
        ttl_ms: 10_000,
        target: model::Target::service("cart"),
        knob: model::Knob::Purge,
        setting: Some(model::Setting::Purge { older_than_ms: 500 }),
        reason: model::Reason::default(),
        mode: model::Mode::Act,
    };
    let order =
        Order { id: "o".into(), by: "kim".into(), note: "n".into(), at_ms: 1_790_000_000_000, kind: OrderKind::Disarm };
    let mut chain = control::AuditChain::new("shop");
    let entry = model::AuditEntry { text: "something".into(), ..model::AuditEntry::default() };
    let claim = control::Claim { domain: "shop".into(), owner: "me".into(), version: "1".into(), at_ms: 5 };
    let letter = control::DeadLetter { topic: "t".into(), reason: "r".into(), ..control::DeadLetter::default() };
    let header = control::JournalHeader { domain: "shop".into(), input: "tick".into(), ..Default::default() };
    vec![
        ("command", signer.command("shop", 7, &command, 1_790_000_000_000)),
        ("order", control::Signer::from_seed([0x22; 32]).order("shop", &order)),
        ("audit-0", chain.append(7, &entry, &signer)),
        ("audit-1", chain.append(7, &entry, &signer)),
        ("report", control::report_record("shop", &GuardReport::default())),
        ("claim", control::claim_record(&claim)),
        ("finding", control::finding_record("shop", &model::Finding::default(), 5)),
        ("dead-letter", control::dead_letter_record("shop", &letter)),
        ("journal", control::journal_record(&header, vec![1, 2, 3])),
    ]
}
