//! One function for each kind of bytes that come from outside. None may panic, whatever the bytes are.

use control::{Clamps, Key, Keyring, Me, OrderGate, Record, Role, Signer, Subscriber};
use telemetry::{Encoding, Facts, Measured, MetricsReader, Reader, ReaderConfig, capture};

/// Takes bytes and does not panic.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also its corpus's folder.
pub const TARGETS: [(&str, Target); 7] = [
    ("otlp", otlp),
    ("metrics", metrics),
    ("capture", capture),
    ("contract", contract),
    ("journal", journal),
    ("snapshot", snapshot),
    ("snapshots", snapshots),
];

const ENCODINGS: [Encoding; 7] = [
    Encoding::Auto,
    Encoding::OtlpProto,
    Encoding::OtlpJson,
    Encoding::JaegerProto,
    Encoding::JaegerJson,
    Encoding::ZipkinProto,
    Encoding::ZipkinJson,
];

/// A telemetry record, under every encoding; and a good reader stays good after it.
pub fn otlp(data: &[u8]) {
    let config = ReaderConfig { spans_max: 10_000, resources_max: 1_000, ..ReaderConfig::default() };
    let mut reader = Reader::new(config);
    let mut facts = Facts::default();
    for encoding in ENCODINGS {
        facts.clear();
        let read = reader.read(encoding, data, &mut facts);
        assert!(read.is_ok() || facts.spans.is_empty(), "a poison record leaves nothing behind");
    }
}

/// A metrics record, under every encoding, one after the other with one reader.
pub fn metrics(data: &[u8]) {
    let config = ReaderConfig { spans_max: 10_000, resources_max: 1_000, ..ReaderConfig::default() };
    let mut reader = MetricsReader::new(config);
    for encoding in ENCODINGS {
        let mut measured = Measured::default();
        let read = reader.read(encoding, data, &mut measured);
        assert!(read.is_ok() || measured == Measured::default(), "a poison record leaves nothing behind");
    }
}

/// A capture file: JSON lines or length-delimited protobuf, plain or compressed.
pub fn capture(data: &[u8]) {
    let Ok(mut capture) = capture::open(std::io::Cursor::new(data.to_vec())) else { return };
    let mut record = Vec::new();
    for _ in 0..10_000 {
        match capture.next_record(&mut record) {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// A record of the contract: the first line is its key, then headers (`name: value`), an empty line, and the value.
pub fn contract(data: &[u8]) {
    let record = record(data);
    drop(control::decode_command(&record));
    drop(control::decode_report(&record));
    drop(control::decode_claim(&record));
    drop(control::decode_finding(&record));
    drop(control::decode_audit(&record));
    drop(control::decode_dead_letter(&record));
    drop(control::decode_journal_header(&record));
    drop(control::verify_chain([&record], &keyring()));
    drop(OrderGate::new("shop", keyring()).offer(&record, 1_790_000_000_000));
    let me = Me { service: "cart".into(), instance: "cart-0".into(), ..Me::default() };
    let mut subscriber = Subscriber::new("shop", me, keyring(), Clamps::default());
    subscriber.caught_up();
    subscriber.offer(&record, 1_790_000_000_000);
    subscriber.take_one_shots(1_790_000_000_000);
    drop(subscriber.in_force(1_790_000_000_000));
}

/// The value of a journal record.
pub fn journal(data: &[u8]) {
    drop(postcard::from_bytes::<engine::Input>(data));
}

/// A snapshot of the engine, after its chunks' hashes have been found right.
pub fn snapshot(data: &[u8]) {
    if let Ok(engine) = engine::Engine::restore(data) {
        // What it holds can be written down again.
        assert!(!engine.snapshot().is_empty());
    }
}

/// What lies on a snapshots topic: manifests and chunks, in any state, in the form that [`snapshot_topic`] takes.
pub fn snapshots(data: &[u8]) {
    if let Ok((engine, _)) = runtime::newest_snapshot(snapshot_topic(data), "shop") {
        assert!(!engine.snapshot().is_empty());
    }
}

/// Reads records from the form that [`snapshots`] takes: `postcard` of keys and values.
pub fn snapshot_topic(data: &[u8]) -> Vec<kafka::TailRecord> {
    let pairs: Vec<(String, Option<Vec<u8>>)> = postcard::from_bytes(data).unwrap_or_default();
    let record = |(key, value): (String, Option<Vec<u8>>)| kafka::TailRecord {
        key: Some(key.into_bytes()),
        value,
        ..kafka::TailRecord::default()
    };
    pairs.into_iter().map(record).collect()
}

/// The keys of the contract's golden records.
pub fn keyring() -> Keyring {
    let mut ring = Keyring::new();
    for (seed, role) in [([0x11; 32], Role::Engine), ([0x22; 32], Role::Operator)] {
        ring.add(Key::new(Signer::from_seed(seed).public(), role)).expect("a good key");
    }
    ring
}

/// Reads a record from the form that [`contract`] takes.
pub fn record(data: &[u8]) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (head, value) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], data[at + 2..].to_vec()),
        None => (data, Vec::new()),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let key = text(lines.next().unwrap_or_default());
    let header = |line: &[u8]| text(line).split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Record { key, value, headers: lines.filter_map(header).collect() }
}

/// The same record as bytes.
#[allow(dead_code, reason = "the tests write corpora with it")]
pub fn bytes(record: &Record) -> Vec<u8> {
    let mut out = record.key.clone().into_bytes();
    for (name, value) in &record.headers {
        out.extend(format!("\n{name}: {value}").into_bytes());
    }
    out.extend(b"\n\n");
    out.extend(&record.value);
    out
}
