//! `schemas/golden/scenario.json`: offers in order with the verdict on each, and what is in force when. A subscriber in
//! any language that gives the same answers follows the rule.

use crate::check_file;
use crate::sample::{DOMAIN, ISSUED_MS, command, engine, operator, other, sign};
use control::{Clamps, Key, Keyring, Kind, Me, Record, Role, Subscriber, Verdict, instance_share};
use model::{Command, Criticality, Mode, Setting, Target};
use serde_json::{Map, Value, json};

/// (what it shows, record, broker timestamp)
fn offers() -> Vec<(&'static str, Record, u64)> {
    let limit = |limit| Setting::Concurrency { limit };
    let at = |sequence| Command { sequence, ..command() };
    let first = sign(&command());
    let flipped = |mut record: Record| {
        let at = record.value.windows(3).position(|word| word == b"500").unwrap_or(0);
        record.value[at] = b'6';
        record
    };
    let stranger = control::Signer::from_seed([0x33; 32]);
    let successor = engine().command(DOMAIN, 57, &Command { sequence: 1, ..command() }, ISSUED_MS + 4000);
    let tight = Setting::Admission { lowest: Criticality::Critical, fraction_permille: 250 };
    let zone = Target { zone: Some("eu-1a".into()), ..Target::service("cart") };
    let elsewhere = Target { zone: Some("eu-1b".into()), ..Target::service("cart") };
    let canary = |share| Target { share_percent: Some(share), ..Target::service("cart") };
    let only = |instance: &str| Target { instance: Some(instance.into()), ..Target::service("cart") };
    let drained = Setting::Route { share_permille: 50 };
    let ratchet = other("ra7c4e7", Target::service("cart"), Setting::Replicas { count: 7 });
    let released = Command { setting: None, sequence: 4, ..other("1111", Target::service("cart"), limit(40)) };
    let inside = instance_share("cart-1") + 1;
    let now = ISSUED_MS;
    vec![
        ("a first command", first.clone(), now),
        ("the same once more", first.clone(), now + 10),
        ("an older sequence", sign(&at(2)), now + 20),
        ("an altered value", flipped(sign(&at(9))), now + 30),
        ("a key that nobody knows", stranger.command(DOMAIN, 41, &at(9), now), now + 40),
        ("an operator's key", operator().command(DOMAIN, 41, &at(9), now), now + 50),
        ("a signature made for a proposal", engine().sign(Kind::Proposal, sign(&at(9))), now + 60),
        ("a proposal", sign(&Command { mode: Mode::Propose, ..at(9) }), now + 70),
        ("a tombstone", Record::tombstone(&first.key), now + 80),
        ("another domain", engine().command("other", 41, &at(9), now), now + 90),
        ("another service", sign(&other("2222", Target::service("pay"), limit(1))), now + 100),
        ("a key that names another knob", Record { key: "shop/cart/timeout".into(), ..sign(&at(9)) }, now + 110),
        ("a replay after a minute", sign(&at(10)), now + 60_001),
        ("a limit", sign(&other("1111", Target::service("cart"), limit(40))), now + 200),
        ("a stricter limit for this zone", sign(&other("3333", zone, limit(20))), now + 210),
        ("one for another zone", sign(&other("4444", elsewhere, limit(1))), now + 220),
        ("a share that this instance is in", sign(&other("5555", canary(inside), tight)), now + 230),
        ("a share that it is not in", sign(&other("6666", canary(inside - 1), limit(1))), now + 240),
        ("an edge from this service", sign(&other("7777", Target::edge("cart", "db"), limit(5))), now + 250),
        ("an edge to this service", sign(&other("8888", Target::edge("front", "cart"), limit(5))), now + 260),
        ("a ratchet", sign(&ratchet), now + 270),
        ("a drain of this instance", sign(&other("9999", only("cart-1"), drained)), now + 280),
        ("a drain of another", sign(&other("aaaa", only("cart-2"), drained)), now + 290),
        ("a successor with a higher epoch and a lower sequence", successor, now + 4000),
        ("the old owner again", sign(&at(11)), now + 4010),
        ("a release", sign(&released), now + 5000),
    ]
}

#[test]
fn the_scenario_gives_these_answers() {
    let me = Me { service: "cart".into(), instance: "cart-1".into(), version: "v1".into(), zone: "eu-1a".into() };
    let mut keyring = Keyring::new();
    keyring.add(Key::new(engine().public(), Role::Engine)).unwrap();
    keyring.add(Key::new(operator().public(), Role::Operator)).unwrap();
    let mut subscriber = Subscriber::new(DOMAIN, me.clone(), keyring, Clamps::default());
    subscriber.caught_up();
    let mut steps = Vec::new();
    for (shows, record, broker_ms) in offers() {
        let verdict = match subscriber.offer(&record, broker_ms) {
            Verdict::Accepted => "accepted",
            Verdict::Dropped(why) => why.as_str(),
        };
        let headers: Map<String, Value> =
            record.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let value = String::from_utf8(record.value).unwrap();
        let (key, from) = (record.key, broker_ms);
        steps.push(json!({
            "shows": shows, "key": key, "value": value, "headers": headers, "broker_ms": from, "verdict": verdict,
        }));
    }
    let at = |now_ms: u64| {
        let in_force = subscriber.in_force(now_ms).into_iter().map(
            |force| json!({ "id": force.id, "epoch": force.epoch, "target": force.target, "setting": force.setting }),
        );
        json!({ "now_ms": now_ms, "in_force": in_force.collect::<Vec<_>>() })
    };
    let after = [5000, 10_199, 10_230, 14_000].map(|later| at(ISSUED_MS + later));
    let scenario = json!({
        "domain": DOMAIN,
        "me": { "service": me.service, "instance": me.instance, "version": me.version, "zone": me.zone },
        "offers": steps,
        "after": after,
    });
    check_file("golden/scenario.json", (serde_json::to_string_pretty(&scenario).unwrap() + "\n").as_bytes());
}
