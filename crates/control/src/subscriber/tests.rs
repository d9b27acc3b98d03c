use super::*;
use crate::{Key, Signer, TargetPattern};
use model::{Command, Criticality, Mode, Reason};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn signer(seed: u8) -> Signer {
    Signer::from_seed([seed; 32])
}

fn ring(keys: &[(u8, Role)]) -> Keyring {
    let mut ring = Keyring::new();
    for (seed, role) in keys {
        ring.add(Key::new(signer(*seed).public(), *role)).unwrap();
    }
    ring
}

fn me() -> Me {
    Me { service: "cart".into(), instance: "cart-1".into(), version: "v1".into(), zone: "a".into() }
}

fn subscriber(clamps: Clamps) -> Subscriber {
    let mut subscriber = Subscriber::new("shop", me(), ring(&[(1, Role::Engine)]), clamps);
    subscriber.caught_up();
    subscriber
}

fn limit(limit: u32) -> Setting {
    Setting::Concurrency { limit }
}

fn command(target: Target, setting: Setting, sequence: u64) -> Command {
    Command {
        id: CommandId(format!("{target}-{}", setting.knob().as_str())),
        sequence,
        ttl_ms: 10_000,
        target,
        knob: setting.knob(),
        setting: Some(setting),
        reason: Reason::default(),
        mode: Mode::Act,
    }
}

fn signed(epoch: u64, command: &Command) -> Record {
    signer(1).command("shop", epoch, command, NOW)
}

fn cart(setting: Setting, sequence: u64) -> Command {
    command(Target::service("cart"), setting, sequence)
}

fn settings(subscriber: &Subscriber, now_ms: u64) -> Vec<Setting> {
    subscriber.in_force(now_ms).into_iter().map(|force| force.setting).collect()
}

#[test]
fn a_lease_is_obeyed_until_it_ends_and_a_renewal_prolongs_it() {
    let mut subscriber = subscriber(Clamps::default());
    assert_eq!(subscriber.offer(&signed(5, &cart(limit(10), 1)), NOW), Verdict::Accepted);
    assert_eq!(settings(&subscriber, NOW + 9_999), [limit(10)]);
    assert_eq!(settings(&subscriber, NOW + 10_000), []);
    assert_eq!(subscriber.next_expiry_ms(NOW), Some(NOW + 10_000));
    assert_eq!(subscriber.offer(&signed(5, &cart(limit(10), 2)), NOW + 5_000), Verdict::Accepted);
    assert_eq!(settings(&subscriber, NOW + 14_999), [limit(10)]);
    assert_eq!(subscriber.next_expiry_ms(NOW + 15_000), None);
}

#[test]
fn a_signed_release_ends_a_lease_and_a_tombstone_does_not() {
    let mut subscriber = subscriber(Clamps::default());
    let record = signed(5, &cart(limit(10), 1));
    subscriber.offer(&record, NOW);
    assert_eq!(subscriber.offer(&Record::tombstone(&record.key), NOW), Verdict::Dropped(Drop::Tombstone));
    assert_eq!(settings(&subscriber, NOW), [limit(10)]);
    let release = Command { setting: None, ..cart(limit(10), 2) };
    assert_eq!(subscriber.offer(&signed(5, &release), NOW), Verdict::Accepted);
    assert_eq!(settings(&subscriber, NOW), []);
    assert_eq!(subscriber.offer(&record, NOW), Verdict::Dropped(Drop::Older), "what was released stays released");
}

#[test]
fn everything_else_is_dropped_and_counted_by_reason() {
    let mut subscriber = subscriber(Clamps::default());
    let good = signed(5, &cart(limit(10), 1));
    let stranger = signer(9).command("shop", 5, &cart(limit(10), 1), NOW);
    let proposal = Command { mode: Mode::Propose, ..cart(limit(10), 1) };
    let moved = Record { key: "shop/cart/queue_bound".into(), ..good.clone() };
    let other = command(Target::service("pay"), limit(1), 1);
    let mut unsigned = good.clone();
    unsigned.headers.retain(|(name, _)| name != "ce_signature");
    let ill = Record { value: b"{}".to_vec(), ..good.clone() };
    let table = [
        (stranger, NOW, Drop::UnknownKey),
        (signed(5, &proposal), NOW, Drop::NotToObey),
        (moved, NOW, Drop::KeyMismatch),
        (signed(5, &other), NOW, Drop::NotForMe),
        (signer(1).command("other", 5, &cart(limit(10), 1), NOW), NOW, Drop::WrongDomain),
        (unsigned, NOW, Drop::Unsigned),
        (ill, NOW, Drop::Malformed),
        (signer(1).sign(Kind::Proposal, good.clone()), NOW, Drop::BadSignature),
        (good.clone(), NOW + LATE_MAX_MS + 1, Drop::Late),
    ];
    for (record, broker_ms, why) in &table {
        assert_eq!(subscriber.offer(record, *broker_ms), Verdict::Dropped(*why));
        assert_eq!(settings(&subscriber, NOW), []);
        assert_eq!(subscriber.counters().dropped[why], 1);
    }
    assert_eq!(subscriber.offer(&good, NOW), Verdict::Accepted);
    assert_eq!(subscriber.offer(&good, NOW), Verdict::Dropped(Drop::Older));
    assert_eq!(subscriber.counters().accepted, 1);
}

#[test]
fn a_wider_target_from_a_later_version_is_not_obeyed() {
    let mut subscriber = subscriber(Clamps::default());
    let mut record = signed(5, &cart(limit(10), 1));
    let text = String::from_utf8(record.value).unwrap();
    record.value = text.replace(r#"{"service":"cart"}"#, r#"{"service":"cart","region":"eu"}"#).into_bytes();
    let record = signer(1).sign(Kind::Command, record);
    assert_eq!(subscriber.offer(&record, NOW), Verdict::Dropped(Drop::Malformed));
}

#[test]
fn keys_count_for_their_role_targets_and_time_only() {
    let mut keyring = Keyring::new();
    let engine = Key::new(signer(1).public(), Role::Engine);
    let targets = vec![TargetPattern::parse("pay"), TargetPattern::parse("cart:GET *")];
    keyring.add(Key { targets, until_ms: NOW + 1000, ..engine }).unwrap();
    keyring.add(Key::new(signer(2).public(), Role::Operator)).unwrap();
    let mut subscriber = Subscriber::new("shop", me(), keyring.clone(), Clamps::default());
    assert_eq!(subscriber.offer(&signed(1, &cart(limit(1), 1)), NOW), Verdict::Dropped(Drop::WrongTarget));
    let by_operator = signer(2).command("shop", 1, &cart(limit(1), 1), NOW);
    assert_eq!(subscriber.offer(&by_operator, NOW), Verdict::Dropped(Drop::WrongRole));
    let one = command(Target::operation("cart", "GET /"), limit(1), 1);
    assert_eq!(subscriber.offer(&signed(1, &one), NOW + 1000), Verdict::Dropped(Drop::WrongTime));
    assert_eq!(subscriber.offer(&signed(1, &one), NOW), Verdict::Accepted);
    assert_eq!(settings(&subscriber, NOW + 999), [limit(1)]);
    assert_eq!(settings(&subscriber, NOW + 1000), [], "a lease ends with its key");
}

#[test]
fn keys_rotate_with_overlap_and_a_withdrawn_key_takes_its_commands_along() {
    let mut subscriber = subscriber(Clamps::default());
    subscriber.offer(&signed(5, &cart(limit(10), 1)), NOW);
    subscriber.set_keyring(ring(&[(1, Role::Engine), (2, Role::Engine)]));
    let edge = command(Target::edge("cart", "db"), limit(3), 1);
    assert_eq!(subscriber.offer(&signer(2).command("shop", 5, &edge, NOW), NOW), Verdict::Accepted);
    assert_eq!(settings(&subscriber, NOW), [limit(10), limit(3)]);
    subscriber.set_keyring(ring(&[(2, Role::Engine)]));
    assert_eq!(settings(&subscriber, NOW), [limit(3)]);
    assert_eq!(subscriber.offer(&signed(5, &cart(limit(10), 2)), NOW), Verdict::Dropped(Drop::UnknownKey));
}

#[test]
fn the_most_restrictive_command_wins_for_each_knob_of_each_scope() {
    let mut subscriber = subscriber(Clamps::default());
    let canary = Target { share_percent: Some(100), ..Target::service("cart") };
    let zone = Target { zone: Some("a".into()), ..Target::service("cart") };
    let operation = Target::operation("cart", "GET /");
    let all = [
        cart(limit(50), 1),
        command(canary, limit(20), 1),
        command(zone, limit(30), 1),
        command(operation, limit(5), 1),
        command(Target::edge("cart", "db"), limit(2), 1),
        cart(Setting::KillSwitch { level: 1 }, 1),
    ];
    for command in &all {
        assert_eq!(subscriber.offer(&signed(5, command), NOW), Verdict::Accepted);
    }
    let wanted = [limit(20), Setting::KillSwitch { level: 1 }, limit(5), limit(2)];
    assert_eq!(settings(&subscriber, NOW), wanted);
    let effective = |callee, operation| subscriber.effective(Knob::Concurrency, callee, operation, NOW);
    assert_eq!(effective(None, None), Some(limit(20)));
    assert_eq!(effective(None, Some("GET /")), Some(limit(5)));
    assert_eq!(effective(Some("db"), None), Some(limit(2)));
    assert_eq!(effective(Some("pay"), None), None);
    assert_eq!(subscriber.obeyed(NOW).len(), 6);
}

#[test]
fn the_owners_clamps_win_and_are_reported() {
    let floor = Bound { strictest: Some(limit(8)), loosest: Some(limit(100)) };
    let clamps = Clamps {
        bounds: [(Knob::Concurrency, floor)].into(),
        refused: [Knob::KillSwitch].into(),
        never_shed: vec!["GET /health*".into()],
    };
    let mut subscriber = subscriber(clamps);
    let shed = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 0 };
    subscriber.offer(&signed(5, &cart(limit(1), 1)), NOW);
    subscriber.offer(&signed(5, &cart(Setting::KillSwitch { level: 3 }, 1)), NOW);
    subscriber.offer(&signed(5, &command(Target::operation("cart", "GET /healthz"), shed, 1)), NOW);
    subscriber.offer(&signed(5, &cart(shed, 1)), NOW);
    let spared = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 1000 };
    assert_eq!(settings(&subscriber, NOW), [spared, limit(8)]);
    let overridden: Vec<_> = subscriber.obeyed(NOW).into_iter().map(|obeyed| obeyed.overridden_by).collect();
    assert_eq!(
        overridden,
        [
            Some("CRITICAL_PLUS needs an operator's signature".to_owned()),
            Some("strictest: concurrency".to_owned()),
            Some("refused: kill_switch".to_owned()),
            Some("never_shed: GET /healthz".to_owned()),
        ]
    );
    subscriber.offer(&signed(5, &cart(limit(1000), 2)), NOW);
    assert_eq!(settings(&subscriber, NOW), [spared, limit(100)]);
}

#[test]
fn a_one_shot_is_done_once_and_never_again_after_a_restart() {
    let purge = Setting::Purge { older_than_ms: 500 };
    let mut running = subscriber(Clamps::default());
    running.offer(&signed(5, &cart(purge, 1)), NOW);
    assert_eq!(running.take_one_shots(NOW).len(), 1);
    assert_eq!(running.take_one_shots(NOW).len(), 0);
    running.offer(&signed(5, &cart(purge, 2)), NOW + 5000);
    assert_eq!(running.take_one_shots(NOW + 5000).len(), 0, "a renewal has the same id");
    let next = Command { id: CommandId("another".into()), ..cart(purge, 3) };
    running.offer(&signed(5, &next), NOW + 5000);
    assert_eq!(running.take_one_shots(NOW + 15_000).len(), 0, "too late");
    let mut restarted = Subscriber::new("shop", me(), ring(&[(1, Role::Engine)]), Clamps::default());
    restarted.offer(&signed(5, &cart(purge, 2)), NOW + 5000);
    restarted.caught_up();
    assert_eq!(restarted.take_one_shots(NOW + 5000).len(), 0);
    restarted.offer(&signed(5, &cart(purge, 3)), NOW + 6000);
    assert_eq!(restarted.take_one_shots(NOW + 6000).len(), 0);
    restarted.offer(&signed(5, &Command { sequence: 4, ..next }), NOW + 6000);
    assert_eq!(restarted.take_one_shots(NOW + 6000).len(), 1);
    assert!(restarted.in_force(NOW + 6000).is_empty());
}

#[test]
fn a_ratchet_freezes_where_its_lease_ended_and_is_let_go_by_a_release() {
    let mut subscriber = subscriber(Clamps::default());
    let count = Setting::Replicas { count: 7 };
    subscriber.offer(&signed(5, &cart(count, 1)), NOW);
    assert!(!subscriber.in_force(NOW)[0].frozen);
    subscriber.tidy(NOW + 1_000_000_000);
    let later = subscriber.in_force(NOW + 1_000_000_000);
    assert_eq!((later[0].setting, later[0].frozen), (count, true));
    subscriber.offer(&signed(5, &Command { setting: None, ..cart(count, 2) }), NOW);
    assert!(subscriber.in_force(NOW).is_empty());
}

#[test]
fn state_is_rebuilt_from_what_compaction_leaves() {
    let log = [
        (signed(5, &cart(limit(10), 1)), NOW),
        (signed(5, &cart(Setting::QueueBound { work_ms: 9 }, 1)), NOW + 1),
        (signed(6, &cart(limit(7), 1)), NOW + 2),
        (signed(6, &Command { setting: None, ..cart(Setting::QueueBound { work_ms: 9 }, 1) }), NOW + 3),
    ];
    let (mut running, mut restarted) = (subscriber(Clamps::default()), subscriber(Clamps::default()));
    log.iter().for_each(|(record, broker_ms)| assert_eq!(running.offer(record, *broker_ms), Verdict::Accepted));
    log[2..].iter().for_each(|(record, broker_ms)| assert_eq!(restarted.offer(record, *broker_ms), Verdict::Accepted));
    for now_ms in [NOW, NOW + 9_000, NOW + 20_000] {
        assert_eq!(running.in_force(now_ms), restarted.in_force(now_ms));
    }
}

#[test]
fn places_are_given_up_only_when_nothing_older_can_come_back() {
    let mut subscriber = subscriber(Clamps::default());
    let (old, new) = (signed(5, &cart(limit(10), 1)), signed(5, &cart(limit(20), 2)));
    subscriber.offer(&new, NOW);
    let forget_ms = NOW + LATE_MAX_MS + u64::from(TTL_MAX_MS);
    for now_ms in [NOW + 60_000, forget_ms - 1, forget_ms] {
        subscriber.tidy(now_ms);
        let verdict = subscriber.offer(&old, now_ms);
        assert!(matches!(verdict, Verdict::Dropped(Drop::Older | Drop::Late)), "{verdict:?}");
    }
}

proptest! {
    /// Whatever order records arrive in, and however often: for each key the highest (epoch, sequence) that was offered
    /// decides, for exactly its time to live.
    #[test]
    fn no_order_of_arrival_makes_an_older_or_expired_command_effective(
        offers in prop::collection::vec((1u64..4, 1u64..5, 0u32..50, 1u32..30_000, any::<bool>()), 1..20),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
        at_ms in 0u64..40_000,
    ) {
        let mut known = BTreeMap::new();
        for (epoch, sequence, value, ttl_ms, released) in &offers {
            let setting = (!released).then_some(limit(*value));
            let command = Command { ttl_ms: *ttl_ms, setting, ..cart(limit(*value), *sequence) };
            known.entry((*epoch, *sequence)).or_insert((signed(*epoch, &command), setting, *ttl_ms));
        }
        let log: Vec<_> = known.iter().collect();
        let mut subscriber = subscriber(Clamps::default());
        let mut highest: Option<((u64, u64), Option<Setting>, u32)> = None;
        for index in order {
            let (place, (record, setting, ttl_ms)) = *index.get(&log);
            let verdict = subscriber.offer(record, NOW);
            prop_assert_eq!(verdict == Verdict::Accepted, highest.is_none_or(|(before, ..)| *place > before));
            if verdict == Verdict::Accepted {
                highest = Some((*place, *setting, *ttl_ms));
            }
        }
        let (_, setting, ttl_ms) = highest.unwrap();
        let wanted: Vec<Setting> = setting.filter(|_| at_ms < u64::from(ttl_ms)).into_iter().collect();
        prop_assert_eq!(settings(&subscriber, NOW + at_ms), wanted);
    }

    #[test]
    fn a_flipped_bit_of_key_value_or_signature_is_rejected(part in 0usize..3, at: prop::sample::Index, bit in 0u8..8) {
        let mut record = signed(5, &cart(limit(10), 1));
        let mut bytes = match part {
            0 => record.key.clone().into_bytes(),
            1 => record.value.clone(),
            _ => record.header("ce_signature").unwrap().as_bytes().to_vec(),
        };
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        match part {
            0 => record.key = String::from_utf8_lossy(&bytes).into_owned(),
            1 => record.value = bytes,
            _ => record.headers.last_mut().unwrap().1 = String::from_utf8_lossy(&bytes).into_owned(),
        }
        let mut subscriber = subscriber(Clamps::default());
        prop_assert_ne!(subscriber.offer(&record, NOW), Verdict::Accepted);
        prop_assert!(subscriber.in_force(NOW).is_empty());
    }

    #[test]
    fn a_replayed_record_is_dead_once_its_time_has_passed(delay_ms in 0u64..100_000_000) {
        let mut subscriber = subscriber(Clamps::default());
        let verdict = subscriber.offer(&signed(5, &cart(limit(10), 1)), NOW + delay_ms);
        prop_assert_eq!(verdict == Verdict::Accepted, delay_ms <= LATE_MAX_MS);
    }

    #[test]
    fn bytes_of_strangers_never_panic(key in ".{0,40}", value in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut subscriber = subscriber(Clamps::default());
        let record = Record { key: format!("shop/{key}"), value, headers: Vec::new() };
        prop_assert_ne!(subscriber.offer(&record, NOW), Verdict::Accepted);
    }
}
